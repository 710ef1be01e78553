"""A batch whose units have jobs of their own."""

import pytest
from bidsloom.config import read_study
from bidsloom.scheduling import unit_jobs
from bidsloom.scheduling.batches import BatchUnit
from bidsloom.scheduling.unit_jobs import UnitJobs, batch_size
from helpers.old_config import OLD


@pytest.mark.parametrize(
    ("due", "at_once", "size"),
    [(2000, 100, 1), (2001, 100, 25), (2001, 4000, 1000), (50_000, 0, 1000), (2001, 1, 2)],
)
def test_a_quarter_of_the_queue_at_most(due, at_once, size):
    assert size == batch_size(due=due, many=2000, most=1000, at_once=at_once)


def test_no_arrays_no_batches():
    assert 1 == batch_size(due=50_000, many=2000, most=0, at_once=100)


@pytest.fixture
def together(tmp_path, monkeypatch):
    """Two units at work; the first's record is seen, the second's is not."""
    study = read_study(OLD, base=tmp_path)
    units = [BatchUnit("sub-1", "a"), BatchUnit("sub-2", "b")]
    missing = [units[1]]
    monkeypatch.setattr(unit_jobs, "list_missing", lambda study, batch: missing)
    now = [0.0]
    made = UnitJobs("x", {"7_1": "sub-1", "7_2": "sub-2"}, clock=lambda: now[0])
    return study, made, now, missing


def test_over_when_all_have_ended(together):
    study, jobs, _, _ = together
    jobs.end("7_1", success=True)
    assert not jobs.is_over(study, 5)
    jobs.end("7_2", success=False)
    assert jobs.is_over(study, 5)


def test_record_that_is_seen_late_is_waited_for(together):
    """A job that says that it succeeded is believed for a while, not for ever."""
    study, jobs, now, missing = together
    jobs.end("7_1", success=True)
    jobs.end("7_2", success=True)
    assert not jobs.is_over(study, 5)
    now[0] = 6
    assert jobs.is_over(study, 5)
    now[0] = 1
    missing.clear()
    assert jobs.is_over(study, 5)
