"""What the next attempt asks for, and whether there is one."""

from dataclasses import replace

import pytest
from bidsloom.base.errors import FailureClass, WorkflowFailure
from bidsloom.config import read_study
from bidsloom.config.request import Request
from bidsloom.config.study import RetryPolicy
from bidsloom.job.process import check_node
from bidsloom.job.unit_job import Job
from bidsloom.records.attempts import Attempt
from bidsloom.records.prepared import Prepared
from bidsloom.scheduling.requests import next_request
from bidsloom.scheduling.retry import is_worth_retrying
from bidsloom.scheduling.slurm import classify_scheduler_end
from bidsloom.units.unit import Unit
from test_config import OLD

POLICY = RetryPolicy(memory_factor=2, time_factor=1.5, max_mem_mb=10000, max_minutes=None)
BASE = Request(2, mem_mb=4000, minutes=60)


def failed(why: str, **requested: int) -> Attempt:
    return Attempt(
        unit="sub-1", failure_class=FailureClass(why), requested=replace(BASE, **requested)
    )


def test_each_cause_raises_its_own_resource():
    assert Request(2, 8000, 60) == next_request(BASE, [failed("out_of_memory")], POLICY)
    assert Request(2, 4000, 90) == next_request(BASE, [failed("timeout")], POLICY)
    for why in ("app_error", "node_failure", "cancelled", "store_unavailable"):
        assert next_request(BASE, [failed(why)], POLICY) == BASE


def test_raises_add_up_and_stop_at_the_cap():
    """Twice out of memory is four times as much, yet no more than the cap."""
    twice = [failed("out_of_memory"), failed("out_of_memory", mem_mb=8000)]
    assert next_request(BASE, twice, POLICY).mem_mb == 10000
    both = [failed("out_of_memory"), failed("timeout", mem_mb=8000)]
    assert Request(2, 8000, 90) == next_request(BASE, both, POLICY)


def test_a_raised_configuration_stands():
    """What failed at less than is asked for now tells nothing; a cap lowers no wish."""
    assert next_request(Request(2, 16000, 60), [failed("out_of_memory")], POLICY).mem_mb == 16000


def test_nothing_asked_for_is_nothing_raised():
    assert Request(2) == next_request(Request(2), [failed("timeout")], POLICY)


@pytest.mark.parametrize(
    ("classes", "this_run", "worth"),
    [
        (["out_of_memory"] * 3, 3, True),
        (["node_failure"] * 3, 3, True),
        (["app_error"], 1, True),
        (["app_error", "app_error"], 2, False),
        (["app_error", "app_error"], 1, True),
        (["timeout", "app_error"], 2, True),
        (["bad_config"], 1, False),
        ([], 1, True),
    ],
)
def test_what_is_tried_again(classes, this_run, worth):
    """An app's own error once more in one run, bad input never, the rest as often as allowed."""
    assert worth == is_worth_retrying([failed(why) for why in classes], this_run=this_run)


@pytest.mark.parametrize(
    ("state", "log", "why"),
    [
        ("TIMEOUT", "", FailureClass.TIMEOUT),
        ("FAILED", "Job 7 exceeded memory limit (9 > 5), being killed", FailureClass.OUT_OF_MEMORY),
        ("OUT_OF_MEMORY", "", FailureClass.OUT_OF_MEMORY),
        ("NODE_FAIL", "", FailureClass.NODE_FAILURE),
        ("VANISHED", "", FailureClass.NODE_FAILURE),
        ("PREEMPTED", "", FailureClass.CANCELLED),
        ("CANCELLED by 1000", "", FailureClass.CANCELLED),
        ("CANCELLED", "STEP 7.0 ON n1 CANCELLED AT 12:00 DUE TO TIME LIMIT", FailureClass.TIMEOUT),
        ("FAILED", "", FailureClass.NODE_FAILURE),
    ],
)
def test_cause_of_a_schedulers_end(state, log, why):
    assert why == classify_scheduler_end(state, log)[0]


def job_on_node(tmp_path) -> Job:
    """A job of the old configuration, whose study asks for two modules."""
    unit = Unit("sub-1", "1", None, "tree", "inherited", 1, 1)
    return Job(read_study(OLD, base=tmp_path), unit, Prepared())


def test_missing_module_is_told_by_node(monkeypatch, tmp_path):
    """`module load` goes on without a missing module; the job does not."""
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SLURMD_NODENAME", "n7")
    monkeypatch.setenv("LOADEDMODULES", "datalad/1.2:apptainer/1.4")
    check_node(job_on_node(tmp_path))
    monkeypatch.setenv("LOADEDMODULES", "datalad/1.2")
    with pytest.raises(WorkflowFailure, match=r"apptainer of hpc\.modules is missing on node n7"):
        check_node(job_on_node(tmp_path))


def test_node_without_git_annex_is_told(monkeypatch, tmp_path):
    """A node that lacks a program is named; the unit may go to another one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkflowFailure, match=r"On node .*git was not found") as caught:
        check_node(job_on_node(tmp_path))
    assert caught.value.failure_class == FailureClass.NODE_FAILURE
