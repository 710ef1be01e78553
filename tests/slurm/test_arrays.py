"""Jobs that are submitted together, as an array."""

import os
import re
import signal

import pytest
from helpers.studies import make_input
from helpers.waiting import exit_code, wait_for

pytestmark = pytest.mark.slurm

DOZEN = [f"{n:02}" for n in range(1, 13)]


@pytest.fixture(scope="module")
def dozen(shared_disk):
    """An input dataset of twelve subjects."""
    return make_input(shared_disk / "a dozen", {label: [None] for label in DOZEN})


def cancel_two(study, job: str) -> None:
    """`scancel` the job of sub-07, and cancel sub-09 on purpose."""
    study.cluster.ask("scancel", job)
    assert study.status("--cancel", "09").returncode == 0
    wait_for(lambda: study.attempts("sub-07") and study.attempts("sub-09"))


def end_with_three_failures(study, process) -> None:
    """Let the others end: each of the three has its own cause, and two of them are merged too."""
    # Some errors pass.
    wait_for(lambda: study.attempts("sub-05"))
    (study.switches / "fail-05").unlink()
    assert exit_code(process) != 0
    classes = {
        label: [a["failure_class"] for a in study.attempts(f"sub-{label}")] for label in DOZEN
    }
    failed = {"05": ["app_error"], "07": ["cancelled"], "09": ["cancelled"]}
    assert failed == {label: found for label, found in classes.items() if found}
    assert sorted([*DOZEN, "05", "07"]) == study.runs()
    merged = {label for label in DOZEN if f"sub-{label}.html" in study.tree()}
    assert set(DOZEN) - {"09"} == merged


def test_tasks_of_an_array_fail_and_end_by_themselves(study, dozen):
    """Of twelve units one fails, one task is cancelled, and one unit on purpose: no other one
    takes part in that, and each has its own cause.
    """
    study.config["datalad"]["input_repo"] = str(dozen)
    (study.switches / "fail-05").write_text("3")
    with study.held_jobs("--default-resources", "slurm_array=12", running=12) as process:
        jobs = study.cluster.ask("squeue", "-h", "-r", "-o", "%i %k").splitlines()
        assert 12 == len(jobs)
        (comment,) = {job.split()[1] for job in jobs}
        assert comment.startswith("rule_process_subject_wildcards_array-")
        states = study.states()
        assert {"running"} == {row["state"] for row in states.values()}
        # Each unit is known by its task.
        array = states["sub-01"]["job"].partition("_")[0]
        tasks = {row["job"] for row in states.values()}
        assert tasks == {f"{array}_{n}" for n in range(1, 13)}
        cancel_two(study, states["sub-07"]["job"])
    end_with_three_failures(study, process)
    # Two were tried again, each in a job of its own; all others share one submission.
    for label in DOZEN:
        own = label in ("05", "07", "09")
        job = study.attempts("sub-09")[0] if label == "09" else study.record(f"sub-{label}")
        number = job["scheduler_job_id"]
        assert (number.partition("_")[0] == array) == (not own or label == "09")
    log = (study.results / "logs" / "sub-01.log").read_text()
    assert f"SLURM job {states['sub-01']['job']} on node" in log
    assert f"/{states['sub-01']['job']}.log" in log
    # Nothing of the array stays.
    assert [] == list((study.results / "arrays").iterdir())


@pytest.mark.parametrize(
    "many",
    [
        pytest.param((), marks=pytest.mark.more, id="a job each"),
        pytest.param(("slurm_array_from=2",), id="together"),
    ],
)
def test_interrupted_array_leaves_no_task(study, many):
    """Ctrl-C ends the tasks that run and those that wait, by the array's own id."""
    with study.held_jobs("--default-resources", "slurm_array=3", *many, running=3) as process:
        (array,) = set(study.cluster.ask("squeue", "-h", "-r", "-o", "%F").split())
        os.kill(process.pid, signal.SIGINT)
        assert exit_code(process) != 0
        wait_for(lambda: not study.cluster.ask("squeue", "-h"))
    states = study.cluster.ask("sacct", "-n", "-X", "-P", "-j", array, "-o", "State").splitlines()
    assert {"CANCELLED"} == {state.split()[0] for state in states}


@pytest.mark.parametrize(
    ("asked", "submissions"), [("squeue", 4), pytest.param("sacct", 12, marks=pytest.mark.more)]
)
def test_one_job_of_snakemakes_for_many_units(study, dozen, asked, submissions):
    """Each unit has its own SLURM job, end and cause; only what failed is submitted again.

    With `sacct`, which does not know the tasks of arrays as sbatch does, each
    is submitted by itself.
    """
    study.config["datalad"]["input_repo"] = str(dozen)
    (study.switches / "fail-05").write_text("3")
    many = ("--default-resources", "slurm_array=12", "slurm_array_from=4", "--jobs", "12")
    many += ("--slurm-status-command", asked)
    dry = study.snakemake("-n", *many)
    assert re.search(r"process_array +4\n", dry.stdout)
    with study.held_jobs(*many, running=12) as process:
        comments = study.cluster.ask("squeue", "-h", "-r", "-o", "%k").splitlines()
        assert 12 == len(comments)
        # An array has a quarter of the queue at most.
        assert submissions == len(set(comments))
        states = study.states()
        assert {"running"} == {row["state"] for row in states.values()}
        cancel_two(study, states["sub-07"]["job"])
    end_with_three_failures(study, process)
    assert [] == list(study.results.glob("arrays/*"))
    # The second run has one unit left, which is a job like any other; the third has none.
    study.snakemake(*many)
    assert sorted([*DOZEN, "05", "07", "09"]) == study.runs()
    assert "Nothing to be done" in study.snakemake("-n", *many).stdout
