"""Nodes, controllers and disks that fail during a study."""

import contextlib
import time

import psutil
import pytest
from helpers.studies import git, run
from helpers.waiting import exit_code, kill, wait_for

pytestmark = pytest.mark.slurm


def test_node_that_dies_with_its_job(study):
    """Its job is tried again elsewhere, asking for the same."""
    study.config["subjects"] = {"include": ["01"]}
    with study.held_jobs() as process:
        job = study.job_of("sub-01")
        node = study.cluster.ask("squeue", "-h", "-j", job, "-o", "%N")
        study.cluster.cut_power(int(node.removeprefix("node")))
    try:
        assert exit_code(process) == 0, study.said()
    finally:
        study.cluster.start_node(int(node.removeprefix("node")))
        study.cluster.wait_for_nodes()
    (attempt,) = study.attempts("sub-01")
    assert attempt["failure_class"] == "node_failure"
    assert attempt["requested"]["mem_mb"] == 900


def test_killed_process_tree_of_a_job(study):
    """SIGKILL to all of a job's processes is an attempt that failed, and another succeeds."""
    study.config["subjects"] = {"include": ["01"]}
    with study.held_jobs() as process:
        pid = int(next(study.switches.glob("ran-01-*")).name.split("-")[2])
        # From the app up to the step's first process; what is above is SLURM's own.
        for member in [psutil.Process(pid), *psutil.Process(pid).parents()]:
            if member.name().startswith("slurm"):
                break
            member.kill()
    assert exit_code(process) == 0, study.said()
    (attempt,) = study.attempts("sub-01")
    assert attempt["failure_class"] == "node_failure"


def test_controller_restarts_in_mid_run(study):
    """A slurmctld that is away for a while loses no job."""
    with study.held_jobs(running=3) as process:
        study.cluster.restart_controller(pause=8)
    assert exit_code(process) == 0, study.said()
    assert study.runs() == ["01", "02", "03"]


def test_forgotten_job_is_given_up(study):
    """A job that SLURM itself has forgotten is not waited for; another attempt succeeds."""
    study.config["subjects"] = {"include": ["01"]}
    with study.held_jobs() as process:
        forgotten = study.job_of("sub-01")
        study.cluster.restart_controller(1, "-c")
        study.cluster.wait_for_nodes()
    assert 0 == exit_code(process), study.said()
    (attempt,) = study.attempts("sub-01")
    assert "node_failure" == attempt["failure_class"]
    assert forgotten == attempt["scheduler_job_id"]
    assert "VANISHED" == attempt["scheduler_state"]


def test_killed_head_and_rerun(study):
    """A new Snakemake beside the jobs of a killed one neither doubles nor loses a subject."""
    with study.held_jobs(running=3) as process:
        kill(process)
        again = study.start("--nolock")
        wait_for(lambda: len(study.runs()) == 6, 120)
    assert exit_code(again) == 0, study.said()
    wait_for(lambda: not study.cluster.ask("squeue", "-h"))
    # The killed one's lock, told by Snakemake with what to type.
    study.snakemake("--unlock")
    study.snakemake()
    assert study.branches() == ["base", "git-annex", "main"]
    for unit in ("sub-01", "sub-02", "sub-03"):
        commits = git(
            "log", "main", "--format=%H", f"--grep=Bidsloom-Unit: {unit}", cwd=study.store
        )
        assert len(commits.split()) == 1


def test_store_without_space_for_a_while(study):
    """A full store fails the push by name; with space again the study ends as if nothing was."""
    disk = study.root / "small"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=160m", "none", disk, cwd="/")
    try:
        study.config["datalad"]["output_repos"] = [str(disk / "store.git")]
        study.snakemake("prepare_study", "list_subjects")
        ballast = disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as f:
            while True:
                f.write(b"\0" * 65536)
        done = study.snakemake("--retries", "0", check=False)
        assert done.returncode != 0
        assert study.attempts("sub-01")[-1]["failure_class"] in ("no_space", "store_unavailable")
        ballast.unlink()
        study.snakemake()
        assert study.branches(disk / "store.git") == ["base", "git-annex", "main"]
    finally:
        time.sleep(0.5)
        run("umount", "-l", disk, cwd="/")
