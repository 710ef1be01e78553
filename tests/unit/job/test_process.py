"""What a job checks on its node before it begins."""

import pytest
from bidsloom.base.errors import FailureClass, WorkflowFailure
from bidsloom.config import read_study
from bidsloom.job.process import check_node
from bidsloom.job.unit_job import Job
from bidsloom.records.prepared import Prepared
from bidsloom.units.unit import Unit
from helpers.old_config import OLD


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
