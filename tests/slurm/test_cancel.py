"""Jobs on a cluster that a user cancels."""

import os
import signal

import pytest
from helpers.waiting import exit_code, wait_for

pytestmark = pytest.mark.slurm


@pytest.fixture
def two_nodes(cluster):
    """Only two of the nodes take jobs."""
    cluster.ask("scontrol", "update", "NodeName=node[3-4]", "State=DRAIN", "Reason=test")
    yield
    cluster.ask("scontrol", "update", "NodeName=node[3-4]", "State=RESUME")


def test_status_and_cancel_by_subject(study, two_nodes):
    """Each unit's job is seen where it is; a cancelled one is not tried again in this run."""
    # One of the three has to wait: each node has four.
    study.config["hpc"]["cpus"] = 4
    with study.held_jobs(running=2) as process:
        wait_for(lambda: "queued" in study.status().stdout)
        states = study.states()
        running = [unit for unit, row in states.items() if row["state"] == "running"]
        (queued,) = states.keys() - running
        assert {states[unit]["node"] for unit in running} == {"node1", "node2"}
        for unit in running:
            assert states[unit]["job"] == study.job_of(unit)
            assert states[unit]["since"]
        assert study.status().returncode == 2
        one, other = running
        done = study.status("--cancel", f"{one.removeprefix('sub-')},{queued}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{one}: cancelled, SLURM job {states[one]['job']} on node" in done.stdout
        wait_for(lambda: study.attempts(one) and study.attempts(queued))
        assert study.states()[other]["state"] == "running"
    assert exit_code(process) != 0
    for unit in (one, queued):
        (attempt,) = study.attempts(unit)
        assert attempt["failure_class"] == "cancelled", attempt
        assert "status.py --cancel" in attempt["message"]
    assert {unit: row["state"] for unit, row in study.states().items()} == {
        one: "failed",
        queued: "failed",
        other: "merged",
    }
    assert study.status().returncode == 1
    again = study.status("--cancel", one)
    assert (again.returncode, again.stdout) == (1, f"{one}: no job is at it, it is failed\n")
    # A new run takes them up; here with progress bars.
    said = study.snakemake("--logger", "rich")
    assert "process subject" in said.stdout + said.stderr
    assert study.status().returncode == 0


def test_cancel_within_a_shared_job(study):
    """Neighbours are named, and cancelled only when that is asked for."""
    study.config["hpc"]["units_per_job"] = 3
    with study.held_jobs() as process:
        assert study.runs() == ["01"]
        states = {unit: row["state"] for unit, row in study.states().items()}
        assert states == {"sub-01": "running", "sub-02": "queued", "sub-03": "queued"}
        refused = study.status("--cancel", "02")
        assert refused.returncode == 1
        assert "sub-02: not cancelled, its job also has sub-01, sub-03" in refused.stdout
        assert study.states()["sub-01"]["state"] == "running"
        done = study.status("--cancel", "02", "--with-neighbours")
        assert done.returncode == 0
        assert "with them: sub-01, sub-03" in done.stdout
        assert exit_code(process) != 0
    assert study.runs() == ["01"]
    classes = [[a["failure_class"] for a in study.attempts(unit)] for unit in sorted(states)]
    assert classes == [["cancelled"]] * 3


def test_ctrl_c_cancels_the_jobs(study):
    """An interrupted study leaves no job in the queue and no clone on a node."""
    study.config["common"]["work_dir"] = str(study.scratch)
    with study.held_jobs(running=3) as process:
        os.kill(process.pid, signal.SIGINT)
        assert exit_code(process) != 0
        wait_for(lambda: not study.cluster.ask("squeue", "-h"))
        wait_for(lambda: not list(study.scratch.iterdir()), 20)
