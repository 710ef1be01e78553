"""How jobs end on a cluster, and what the next attempt asks for."""

import pytest
from helpers.studies import run
from helpers.waiting import exit_code, wait_for

pytestmark = pytest.mark.slurm


def test_retry_by_cause(study):
    """More memory after running out of it, the same once more after the app's own error."""
    (study.switches / "hog-01").write_text("1100")
    (study.switches / "fail-02").write_text("3")
    done = study.snakemake(check=False)
    assert done.returncode != 0
    assert [a["failure_class"] for a in study.attempts("sub-01")] == ["out_of_memory"]
    assert study.attempts("sub-01")[0]["requested"]["mem_mb"] == 900
    record = study.record("sub-01")
    assert record["requested"]["mem_mb"] == 1800
    assert study.attempts("sub-01")[0]["peak"]["rss_mb"] > 500
    errors = study.attempts("sub-02")
    assert [(a["failure_class"], a["exit_code"], a["requested"]["mem_mb"]) for a in errors] == [
        ("app_error", 3, 900)
    ] * 2
    assert study.runs().count("02") == 2
    assert "sub-03.html" in study.tree() and "sub-01.html" in study.tree()


def test_timeout_gets_more_time(study):
    """After its time limit a job is tried again with more time."""
    study.config["subjects"] = {"include": ["01"]}
    study.config["hpc"] |= {"time": "00:01:00", "retry": {"time_factor": 6}}
    # SLURM looks for jobs that are over their time every 30 seconds.
    (study.switches / "slow-01").write_text("100")
    study.snakemake()
    (attempt,) = study.attempts("sub-01")
    assert (attempt["failure_class"], attempt["requested"]["runtime"]) == ("timeout", 1)
    record = study.record("sub-01")
    assert record["requested"]["runtime"] == 6


def test_bad_input_is_not_tried_again(study):
    """A scratch folder that the node lacks fails once, by name."""
    study.config["common"]["work_dir"] = "/nowhere/on/any/node"
    study.config["subjects"] = {"include": ["01"]}
    done = study.snakemake(check=False)
    assert done.returncode != 0
    (attempt,) = study.attempts("sub-01")
    assert attempt["failure_class"] == "bad_config"
    assert "/nowhere/on/any/node" in attempt["message"]


def test_job_that_slurm_does_not_take(study):
    """A refused submission is recorded with SLURM's own words, and Snakemake ends."""
    study.config["subjects"] = {"include": ["01"]}
    study.config["hpc"]["partition"] = "nowhere"
    done = study.snakemake("--retries", "0", check=False)
    assert done.returncode != 0
    (attempt,) = study.attempts("sub-01")
    assert "SLURM did not take the job of sub-01" in attempt["message"]
    assert "invalid partition" in attempt["message"].lower()


def test_cancelled_and_preempted_jobs_end(study):
    """None is waited for in vain; each attempt has its cause, and the next one succeeds."""
    study.config["hpc"]["cpus"] = 4
    with study.held_jobs(running=3) as process:
        one, two = study.job_of("sub-01"), study.job_of("sub-02")
        study.cluster.ask("scancel", one)
        node = study.cluster.ask("squeue", "-h", "-j", two, "-o", "%N")
        urgent = ["sbatch", "-p", "urgent", "-w", node, "-c", "4", "--mem=100", "--wrap", "sleep 5"]
        study.cluster.ask(*urgent)
        wait_for(lambda: study.attempts("sub-01") and study.attempts("sub-02"), 120)
    assert exit_code(process) == 0, study.said()
    assert [a["failure_class"] for a in study.attempts("sub-01")] == ["cancelled"]
    (preempted,) = study.attempts("sub-02")
    assert preempted["failure_class"] == "cancelled"
    assert "preemption" in preempted["message"]


def test_scratch_disk_without_space(study):
    """A scratch disk that fills up is told as such, tried once more, and nothing of it is kept."""
    disk = study.root / "scratch of the node"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=700k", "none", disk, cwd="/")
    study.config["common"]["work_dir"] = str(disk)
    study.config["subjects"] = {"include": ["01"]}
    try:
        done = study.snakemake(check=False)
        assert done.returncode != 0
        assert {"no_space"} == {a["failure_class"] for a in study.attempts("sub-01")}
        assert list(disk.iterdir()) == []
    finally:
        run("umount", "-l", disk, cwd="/")
    study.config["common"]["work_dir"] = "/tmp"
    study.snakemake()
    assert "sub-01.html" in study.tree()
