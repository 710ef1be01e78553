"""Jobs that their node runs by itself, and how their ends are noticed."""

import stat
import time
from itertools import takewhile

import psutil
import pytest
from helpers.waiting import exit_code, limit, wait_for

pytestmark = pytest.mark.slurm


def test_node_runs_the_job_without_snakemake(study):
    """Between SLURM and the app are the job's own processes alone, and there is no job step."""
    study.config["subjects"] = {"include": ["01"]}
    with study.held_jobs() as process:
        job = study.job_of("sub-01")
        pid = int(next(study.switches.glob("ran-01-*")).name.split("-")[2])
        family = takewhile(
            lambda p: not p.name().startswith("slurm"), psutil.Process(pid).parents()
        )
        commands = [" ".join(member.cmdline()) for member in family]
        notes = {path.name for path in (study.root / ".snakemake" / "metadata").iterdir()}
    assert exit_code(process) == 0, study.said()
    assert "/run_job.py --directory=" in commands[-1]
    assert [] == [command for command in commands if "-m snakemake" in command]
    steps = study.cluster.ask("sacct", "-n", "-P", "-j", job, "-o", "JobID").splitlines()
    assert {"", "batch"} == {step.partition(".")[2] for step in steps} - {"extern"}
    # The main process alone takes notes of the job: what it was made from.
    after = {path.name for path in (study.root / ".snakemake" / "metadata").iterdir()}
    assert after - notes
    assert "process_subject" not in study.snakemake("-n").stdout
    # The configuration that jobs read may hold a password.
    config = study.results / "job_config.yaml"
    assert 0o600 == stat.S_IMODE(config.stat().st_mode)


def test_end_is_noticed_at_once_and_the_command_returns(study):
    """Nobody waits for the next question to SLURM, which would come minutes later."""
    study.config["subjects"] = {"include": ["01"]}
    seldom = ("--slurm-init-seconds-before-status-checks", "100")
    with study.held_jobs(*seldom) as process:
        pass
    wait_for((study.results / "report.html").exists, 90)
    assert exit_code(process) == 0, study.said()
    returned = time.time()
    record, merged, report = (
        (study.results / name).stat().st_mtime
        for name in ("jobs/sub-01.json", "merged.txt", "report.html")
    )
    assert merged - record < limit(6)
    assert returned - report < limit(4)


def test_failure_is_noticed_by_its_own_word(study):
    """A job that failed says so; SLURM is then asked for the cause, and not minutes later."""
    study.config["subjects"] = {"include": ["01"]}
    (study.switches / "fail-01").write_text("3")
    seldom = ("--slurm-init-seconds-before-status-checks", "100", "--retries", "0")
    started = time.monotonic()
    assert study.snakemake(*seldom, check=False).returncode != 0
    assert time.monotonic() - started < limit(22)
    (attempt,) = study.attempts("sub-01")
    assert ("app_error", 3) == (attempt["failure_class"], attempt["exit_code"])
