"""What becomes of a unit, by what its notes, the store and the jobs say together."""

from pathlib import Path

import pytest
from bidsloom.config import read_study
from bidsloom.datasets.branches import Result
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.live_status import StoreContents, settle_row
from bidsloom.reporting.status_text import exit_code, status_text, time_left
from bidsloom.reporting.unit_states import Row, count_states, with_earlier_result
from bidsloom.scheduling.cancel import plan_cancel
from bidsloom.scheduling.in_progress import Work
from bidsloom.scheduling.slurm import SlurmJob, job_prefix, read_job
from bidsloom.units.unit import unit_name
from test_config import OLD

RUNNING = Work("sub-1", True, "node7", "2026-01-02T03:04:05", job="12")
QUEUED = Work("sub-1", False, "", "2026-01-02T03:04:05", job="12")
RESULT = Result("sub-1", "c", "f")


@pytest.mark.parametrize(
    ("noted", "branches", "merged", "result", "work", "state"),
    [
        ("waiting", {}, set(), None, None, "waiting"),
        ("waiting", {}, set(), None, QUEUED, "queued"),
        ("failed", {}, set(), None, RUNNING, "running"),
        # A record is written at the very end of a job, which may still be in the queue.
        ("done", {"sub-1": "c"}, set(), None, RUNNING, "done"),
        # A new result of a unit that was merged before.
        ("merged", {"sub-1": "c"}, {"sub-1"}, None, None, "done"),
        ("done", {}, {"sub-1"}, None, None, "merged"),
        ("done", {}, set(), None, None, "lost"),
        # Notes are lost, or a job went on without Snakemake.
        ("waiting", {"sub-1": "c"}, set(), RESULT, None, "done"),
        ("failed", {}, {"sub-1"}, RESULT, None, "merged"),
        ("unmerged", {"sub-1": "c"}, set(), None, None, "unmerged"),
        ("withdrawn", {}, {"sub-1"}, None, RUNNING, "withdrawn"),
    ],
)
def test_state(noted, branches, merged, result, work, state):
    row = settle_row(
        Row("sub-1", UnitState(noted), attempts=1),
        held=StoreContents(branches, "main", Path("store")),
        merged=merged,
        result=result,
        work={"sub-1": work} if work else {},
    )
    assert row.state == state
    assert (row.node, row.job) == (
        (work.node, work.job) if state in ("running", "queued") else ("", "")
    )


def test_without_the_store_notes_count():
    row = Row("sub-1", UnitState.DONE)
    for held in (None, StoreContents({}, "main", None)):
        assert row == settle_row(row, held=held, merged=set(), result=None, work={})


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["merged", "excluded", "withdrawn"], 0),
        (["merged", "failed", "waiting"], 1),
        (["merged", "failed", "running"], 2),
        (["merged", "done"], 2),
        (["merged", "lost"], 1),
    ],
)
def test_exit_code(states, code):
    assert code == exit_code(Row(f"sub-{n}", UnitState(state)) for n, state in enumerate(states))


def test_counts_come_first_and_thousands_are_not_listed(tmp_path):
    study = read_study(OLD, base=tmp_path)
    rows = [Row(f"sub-{n}", UnitState.MERGED) for n in range(9000)]
    rows += [
        Row(f"sub-{n}", UnitState.FAILED, failure_class="app_error") for n in range(9000, 9100)
    ]
    rows.append(Row("sub-x", UnitState.RUNNING, node="node7", job="12"))
    lines = status_text(rows, study).splitlines()
    assert lines[0].endswith("9,000 merged, 1 running, 100 failed")
    assert len(lines) < 50
    assert "and 70 more" in lines[-1]
    assert status_text(rows, study, shown="failed").count("app_error") == 100
    assert status_text(rows, study, shown="all").count("sub-") == 9101
    assert list(count_states([*rows, Row("sub-w", UnitState.WITHDRAWN)]))[-1] == "withdrawn"


@pytest.mark.parametrize(
    ("running", "told"), [(0, ""), (1, "; about 3 h 0 min left"), (9, "; about 1 h 40 min left")]
)
def test_time_left(running, told):
    """As long as the others took, side by side as many as there are now."""
    rows = [
        Row(f"sub-{n}", UnitState.MERGED, seconds=seconds)
        for n, seconds in enumerate((60, 1200, 9e9))
    ]
    rows += [Row(f"sub-r{n}", UnitState.RUNNING) for n in range(running)]
    rows += [Row(f"sub-w{n}", UnitState.WAITING) for n in range(8 if running == 1 else 36)]
    assert told == time_left(rows)


def test_jobs_of_another_study_are_not_ours(tmp_path):
    """Two studies of one user may have the same subjects."""
    study = read_study(OLD, base=tmp_path)
    mine = job_prefix(study)
    comment = "rule_process_subject_wildcards_sub-01"
    line = f"7|RUNNING|node1|2026-01-02T03:04:05|N/A|{comment}|{{}}_1234"
    assert SlurmJob("7", True, "node1", "2026-01-02T03:04:05", "sub-01") == read_job(
        line.format(mine), mine
    )
    other = job_prefix(read_study(OLD, base=tmp_path / "elsewhere"))
    assert read_job(line.format(other), mine) is None
    assert read_job(line.format(mine).replace(comment, "rule_check_node"), mine) is None


def test_cancel_takes_no_neighbour_along():
    """A unit that shares its job is left alone, unless its neighbours are named or allowed."""
    shared = ("sub-1", "sub-2")
    work = [Work(unit, unit == "sub-1", "n", "", job="5", shared=shared) for unit in shared]
    work.append(Work("sub-3", True, "n", "", process=77))
    plan = plan_cancel(["sub-2", "sub-3", "sub-4"], work, with_neighbours=False)
    assert {"sub-2": ("sub-1",)} == plan.shared
    assert plan.absent == ("sub-4",)
    assert (plan.units, [w.process for w in plan.work]) == (("sub-3",), [77])
    together = plan_cancel(["sub-2"], work, with_neighbours=True)
    assert together.units == ("sub-2", "sub-1")
    assert {w.job for w in together.work} == {"5"}
    assert plan_cancel(["sub-1", "sub-2"], work, with_neighbours=False).shared == {}


@pytest.mark.parametrize("label", ["01_ses-pre", "sub-01_ses-pre", " 01_ses-pre "])
def test_labels_with_and_without_sub(label):
    assert unit_name(label) == "sub-01_ses-pre"


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("failed", "no brain", "no brain; main holds an earlier result"),
        ("waiting", "", "main holds an earlier result"),
        ("merged", "", ""),
    ],
)
def test_an_earlier_result_in_main_is_told(state, reason, told):
    """Nobody takes what main holds for the result that is asked for now."""
    assert told == with_earlier_result(Row("sub-1", UnitState(state), reason=reason)).reason
