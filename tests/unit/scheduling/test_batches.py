"""Units that share a job: how they are dealt out, and which are left."""

import json
import re

import pytest
from bidsloom.base.files import write_json
from bidsloom.config import read_study
from bidsloom.config.request import Request
from bidsloom.records.running import Running, write_running
from bidsloom.scheduling.batches import (
    BATCH,
    BatchUnit,
    batch_name,
    compose,
    list_left,
    list_missing,
)
from bidsloom.scheduling.watch import Watch
from helpers.old_config import OLD
from snakemake.io import regex_from_filepattern

UNITS = [BatchUnit(f"sub-{n}", f"input={n}") for n in range(1, 6)]


@pytest.fixture
def study(tmp_path):
    """A study whose batch `b` holds all units."""
    made = read_study(OLD, base=tmp_path)
    write_json(made.files.batch_units("b"), [vars(unit) for unit in UNITS])
    return made


def finish(study, *names: str, made_from: str | None = None) -> None:
    for unit in UNITS:
        if unit.name in names:
            record = {"fingerprint": made_from or unit.fingerprint}
            write_json(study.results / "jobs" / f"{unit.name}.json", record)


def fail(study, name: str, *classes: str, job: str = "1") -> None:
    attempts = [
        {"failure_class": why, "scheduler_job_id": job, "message": f"{name}: {why}"}
        for why in classes
    ]
    write_json(study.results / "attempts" / f"{name}.json", attempts)


def names(units) -> list[str]:
    return [unit.name for unit in units]


def test_units_are_dealt_out_in_order():
    """None is lost or doubled; what does not fill a batch is a smaller one."""
    assert [2, 2, 1] == [len(batch) for batch in compose(UNITS, 2)]
    assert UNITS == [unit for batch in compose(UNITS, 2) for unit in batch]
    assert [] == compose([], 2)
    assert [tuple(UNITS)] == compose(UNITS, 100)


def test_name_tells_first_unit_and_what_they_are_made_from():
    """Another study's batch has another name; earlier failures do not matter."""
    batch = tuple(UNITS[:2])
    assert batch_name(batch).startswith("sub-1_x2_")
    assert batch_name(batch) != batch_name((UNITS[0], BatchUnit("sub-2", "input=9")))
    assert batch_name(batch) == batch_name((BatchUnit("sub-1", "input=1", 3), UNITS[1]))


@pytest.mark.parametrize("first", ["sub-01", "sub-01_ses-pre", "sub-x2+y"])
def test_names_are_told_apart_from_units(first):
    """Snakemake reads a batch's name back from its file, whatever the unit is called."""
    pattern = regex_from_filepattern(f"batches/{{batch,{BATCH}}}.json")

    name = batch_name((BatchUnit(first, "a"), BatchUnit("sub-2", "b")))
    assert name == re.match(pattern, f"batches/{name}.json")["batch"]
    assert not re.match(pattern, f"batches/{first}.json")
    assert not re.match(pattern, f"batches/{name}.units.json")


def test_what_is_done_is_not_left(study):
    """A record of the same fingerprint counts, another one does not."""
    finish(study, "sub-1", "sub-2")
    finish(study, "sub-3", made_from="input=old")
    assert ["sub-3", "sub-4", "sub-5"] == names(list_left(study, "b"))


def test_failed_units_come_last_and_hopeless_ones_not_at_all(study):
    """What takes its allocation with it does not do so before its neighbours' turn."""
    fail(study, "sub-1", "out_of_memory")
    fail(study, "sub-2", "bad_config")
    fail(study, "sub-3", "app_error", "app_error")
    assert ["sub-4", "sub-5", "sub-1"] == names(list_left(study, "b"))
    assert names(UNITS) == names(list_missing(study, "b"))


def test_failures_of_earlier_runs_are_forgiven(study):
    """Typing the command again tries everything again."""
    fail(study, "sub-1", "app_error", "app_error")
    write_json(study.files.batch_units("b"), [vars(BatchUnit("sub-1", "input=1", 2))])
    assert ["sub-1"] == names(list_left(study, "b"))


def test_tidied_batch_has_nothing_left(study):
    assert [] == list_left(study, "gone")


def attempts_of(study, name: str) -> list[str]:
    path = study.results / "attempts" / f"{name}.json"
    return [a["failure_class"] for a in json.loads(path.read_text())] if path.exists() else []


def test_allocations_end_is_charged_to_the_unit_at_work(study):
    """Its neighbours are due as before."""
    watch = Watch(study)
    watch.states["7"] = "OUT_OF_MEMORY"
    finish(study, "sub-1")
    granted = Request(mem_mb=900, minutes=3)
    write_running(study, "b", Running("7", "sub-2", granted))
    last, worth = watch.conclude_batch("b", "7", None, Request(mem_mb=900, minutes=20))
    assert worth
    assert ["sub-2"] == [attempt.unit for attempt in last]
    assert granted == last[0].requested
    assert [[], ["out_of_memory"], [], [], []] == [attempts_of(study, u.name) for u in UNITS]


def test_job_that_never_began_is_charged_to_the_first_unit_left(study):
    watch = Watch(study)
    watch.states["8"] = "NODE_FAIL"
    finish(study, "sub-1")
    write_running(study, "b", Running("7", "sub-3"))
    watch.conclude_batch("b", "8", None, Request())
    assert ["node_failure"] == attempts_of(study, "sub-2")
    assert [] == attempts_of(study, "sub-3")


def test_job_that_ended_by_itself_is_charged_to_nobody(study):
    """Each unit has said itself why it failed; another job is worth it while one may go better."""
    watch = Watch(study)
    finish(study, "sub-1", "sub-2", "sub-4", "sub-5")
    fail(study, "sub-3", "app_error", job="7")
    write_running(study, "b", Running("7"))
    last, worth = watch.conclude_batch("b", "7", None, Request())
    assert (["sub-3: app_error"], True) == ([attempt.message for attempt in last], worth)
    fail(study, "sub-3", "app_error", "app_error", job="7")
    assert not watch.conclude_batch("b", "7", None, Request())[1]


def test_cancellation_from_within_gets_slurms_cause(study):
    """SLURM ends a job at its time limit; the unit itself saw a signal."""
    watch = Watch(study)
    watch.states["7"] = "TIMEOUT"
    fail(study, "sub-1", "cancelled", job="7")
    write_running(study, "b", Running("7", "sub-1", Request(minutes=4)))
    watch.conclude_batch("b", "7", None, Request(minutes=20))
    assert ["timeout"] == attempts_of(study, "sub-1")
