"""What SLURM says of jobs."""

import os

import pytest
from bidsloom.base.errors import FailureClass
from bidsloom.config import read_study
from bidsloom.scheduling.node_call import NodeCall, write_array
from bidsloom.scheduling.slurm import (
    SlurmJob,
    chain_prefix,
    classify_scheduler_end,
    job_prefix,
    list_jobs,
    read_job,
    rule_prefix,
)
from helpers.old_config import OLD


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


def test_jobs_of_another_study_are_not_ours(tmp_path):
    """Two studies of one user may have the same subjects."""
    study = read_study(OLD, base=tmp_path)
    mine = job_prefix(study)
    comment = "rule_process_subject_wildcards_sub-01"
    line = f"7|RUNNING|node1|2026-01-02T03:04:05|N/A|{comment}|{{}}_1234"
    found = SlurmJob("7", True, "node1", "2026-01-02T03:04:05", "sub-01")
    assert found == read_job(line.format(mine), study)
    other = job_prefix(read_study(OLD, base=tmp_path / "elsewhere"))
    assert read_job(line.format(other), study) is None
    assert read_job(line.format(mine).replace(comment, "rule_check_node"), study) is None
    # As a module the workflow's rules have a prefix; in a chain it says which study a job is of.
    prefixed = line.replace("rule_", f"rule_{rule_prefix(study)}")
    assert found == read_job(prefixed.format(mine), study)
    assert found == read_job(prefixed.format(chain_prefix(study)), study)
    other_step = line.replace("rule_", "rule_xcpd_").format(chain_prefix(study))
    assert read_job(other_step, study) is None


def test_tasks_of_an_array_are_their_units(tmp_path, monkeypatch):
    """One comment holds for all tasks; what each does is in the array's file."""
    study = read_study(OLD, base=tmp_path)
    write_array(study, "0a1b", [NodeCall("unit", f"sub-0{n}", "log") for n in (1, 2)])
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    comment, name = "rule_process_subject_wildcards_array-{}", f"{job_prefix(study)}_1"
    lines = [
        f"7_2|PENDING||N/A|2026-01-02T03:04:05|{comment.format('0a1b')}|{name}",
        f"7_1|RUNNING|n1|2026-01-02T03:04:06|x|{comment.format('0a1b')}|{name}",
        f"8_1|RUNNING|n1|2026-01-02T03:04:06|x|{comment.format('ffff')}|{name}",
    ]
    squeue.write_text(
        "#!/bin/sh\ncase $* in *-r*) printf '%s\\n' '" + "' '".join(lines) + "';; esac\n"
    )
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    found = [(job.id, job.running, job.task) for job in list_jobs(study)]
    assert [("7_2", False, "sub-02"), ("7_1", True, "sub-01")] == found
