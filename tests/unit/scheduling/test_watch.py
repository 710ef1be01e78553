"""The watch between Snakemake and its SLURM plugin: what the plugin is told."""

import pytest
from bidsloom.checks.findings import Level, read_findings, write_findings
from bidsloom.config import read_study
from bidsloom.config.request import Request
from bidsloom.records.attempts import read_attempts
from bidsloom.records.cancellations import note_cancellation
from bidsloom.scheduling.retry import is_worth_retrying
from bidsloom.scheduling.watch import CYCLES, Watch
from helpers.old_config import OLD


@pytest.fixture
def watch(tmp_path):
    made = Watch(read_study(OLD, base=tmp_path))
    made.active = {"1", "2"}
    return made


def cycle(watch, **statuses: str) -> dict[str, str]:
    told = watch.translate({job.removeprefix("j"): state for job, state in statuses.items()})
    watch.end_cycle()
    return told


def test_every_end_is_one_the_plugin_knows(watch):
    told = cycle(watch, j1="CANCELLED by 1000", j2="PREEMPTED")
    assert told == {"1": "CANCELLED", "2": "CANCELLED"}


def test_forgotten_job_ends_within_three_cycles(watch):
    """A job that SLURM does not speak of is waited for, but not for ever."""
    assert "2" not in cycle(watch, j1="RUNNING")
    for _ in range(CYCLES - 1):
        assert "2" not in cycle(watch, j1="RUNNING")
    assert cycle(watch, j1="RUNNING")["2"] == "FAILED"
    assert CYCLES + 1 <= 3


def test_job_that_comes_back_is_waited_for(watch):
    cycle(watch, j1="RUNNING")
    cycle(watch, j1="RUNNING", j2="PENDING")
    assert "2" not in cycle(watch, j1="RUNNING")


def test_unanswered_questions_count_for_nothing(watch):
    """A controller that is away makes no job vanish."""
    for _ in range(10):
        watch.end_cycle()
    assert "2" not in watch.translate({"1": "RUNNING"})


def test_a_jobs_own_word_is_kept(watch, tmp_path):
    """What the job said of its app stands; a cancellation from within gets SLURM's cause."""
    path = watch.study.results / "attempts" / "sub-01.json"
    path.parent.mkdir(parents=True)
    path.write_text('[{"failure_class": "app_error", "scheduler_job_id": "1", "exit_code": 3}]')
    assert [a.failure_class for a in watch.conclude("sub-01", "1", None, Request())] == [
        "app_error"
    ]
    path.write_text('[{"failure_class": "cancelled", "scheduler_job_id": "1", "host": "n1"}]')
    watch.states["1"] = "TIMEOUT"
    (attempt,) = watch.conclude("sub-01", "1", None, Request(minutes=5))
    assert (attempt.failure_class, attempt.host) == ("timeout", "n1")
    watch.states["2"] = "NODE_FAIL"
    classes = [a.failure_class for a in watch.conclude("sub-01", "2", None, Request())]
    assert classes == ["timeout", "node_failure"]


def test_what_slurm_ended_is_no_failure_of_the_app(watch, tmp_path):
    """An app that ends with an error when it is told to stop was cancelled, and by whom is kept."""
    path = watch.study.results / "attempts" / "sub-01.json"
    path.parent.mkdir(parents=True)
    path.write_text('[{"failure_class": "app_error", "scheduler_job_id": "1", "exit_code": 1}]')
    watch.states["1"] = "CANCELLED by 1000"
    (attempt,) = watch.conclude("sub-01", "1", None, Request())
    assert attempt.failure_class == "cancelled"
    assert is_worth_retrying([attempt], this_run=1)
    note_cancellation(watch.study, "sub-01")
    (attempt,) = watch.conclude("sub-01", "1", None, Request())
    assert attempt.failure_class == "cancelled"
    assert not is_worth_retrying([attempt], this_run=1)


def test_refused_submission_is_an_attempt(watch):
    """SLURM's message is kept, and the next attempt asks for the same."""
    watch.conclude_refused("sub-01", None, "Invalid qos specification\n", Request(1, 900))
    (attempt,) = read_attempts(watch.study, "sub-01")
    assert "SLURM did not take the job of sub-01: Invalid qos specification" == attempt.message
    assert (1, Request(1, 900)) == (attempt.attempt, attempt.requested)
    assert is_worth_retrying([attempt], this_run=1)


def test_early_question_makes_no_job_vanish(watch):
    """After a failure SLURM is asked soon again; that is no further cycle."""
    for _ in range(5):
        watch.translate({"1": "RUNNING"})
        watch.end_cycle(counts=False)
    assert "2" not in watch.translate({"1": "RUNNING"})


def test_a_check_without_an_answer_is_a_finding(watch):
    """Why SLURM ran no check is told in its place; a check's own word stands."""
    watch.conclude_check("node", "SLURM sbatch failed. Invalid partition")
    path = watch.study.results / "check" / "node.json"
    (finding,) = read_findings(path)
    assert finding.level is Level.FAILURE
    assert "Invalid partition" in finding.found
    write_findings(path, [])
    watch.conclude_check("node", "SLURM sbatch failed.")
    assert read_findings(path) == []
