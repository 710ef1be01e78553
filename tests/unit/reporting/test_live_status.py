"""The state of a unit, from its records, the store and the jobs together."""

from pathlib import Path

import pytest
from bidsloom.base.runners import call_git
from bidsloom.datasets.branches import Result, format_trailers
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.live_status import StoreContents, settle_row, without_merged
from bidsloom.reporting.unit_states import Row
from bidsloom.scheduling.in_progress import Work

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


def test_branch_whose_result_main_holds_is_not_to_be_merged(tmp_path):
    """A job that slept while its unit was merged announces it again."""
    call_git(["init", "-q", "-b", "main"], cwd=tmp_path)

    def commit(name: str, fingerprint: str, *parents: str) -> str:
        message = f"{name}\n\n{format_trailers(name, fingerprint)}" if fingerprint else name
        flags = [flag for parent in parents for flag in ("-p", parent)]
        tree = call_git(["mktree"], cwd=tmp_path, stdin="")
        return call_git(["commit-tree", tree, *flags, "-m", message], cwd=tmp_path)

    base = commit("base", "")
    results = [commit("sub-1", "f", base), commit("sub-2", "f", base)]
    main = commit("merge", "", base, *results)
    again, newer = commit("sub-1", "f", main), commit("sub-2", "another", base)
    held = StoreContents({"sub-1": again, "sub-2": newer}, main, tmp_path)
    assert {"sub-2": newer} == without_merged(held, {"sub-1", "sub-2"}).branches
