"""Failed attempts: written and read back, also by another version."""

import json

from bidsloom.base.errors import FailureClass, WorkflowFailure
from bidsloom.base.files import write_json
from bidsloom.config.request import Request
from bidsloom.records.attempts import Attempt, add_attempt, read_attempts

FAILURE = WorkflowFailure(
    "It failed. Its last lines:\n    x",
    hint="mend it",
    failure_class=FailureClass.APP_ERROR,
    exit_code=0,
)


def test_attempts_are_read_as_they_were_written(study):
    """The exit code 0 of an app that wrote nothing is kept."""
    first = Attempt.of("sub-01", FAILURE, host="node1", log=("a", "b"), requested=Request(1, 2, 3))
    second = Attempt.of("sub-01", FAILURE, end="2026-01-01T00:00:00+00:00", on_purpose=True)
    add_attempt(study, first)
    add_attempt(study, second)
    assert [first, second] == read_attempts(study, "sub-01")
    assert (0, "It failed.") == (first.exit_code, first.first_line)
    assert "2026-01-01T00:00:00+00:00" == second.end


def test_every_attempt_has_its_unit_class_and_end(study):
    """Whoever notes a failure, the same keys are there."""
    add_attempt(study, Attempt.of("sub-01", FAILURE))
    (told,) = json.loads(study.files.attempts("sub-01").read_text())
    assert {"unit", "end", "failure_class", "message", "hint", "exit_code"} == set(told)


def test_attempt_of_another_version_is_read(study):
    """A failure class of a later version is not known here; the attempt still counts."""
    old = {"failure_class": "timeout", "message": "late", "later": 1, "exit_code": None}
    write_json(study.files.attempts("sub-01"), [old, {"failure_class": "gone_fishing"}])
    assert [
        Attempt(unit="sub-01", failure_class=FailureClass.TIMEOUT, message="late"),
        Attempt(unit="sub-01"),
    ] == read_attempts(study, "sub-01")


def test_attempt_that_ends_again_keeps_what_it_recorded(study):
    """SLURM's cause replaces the job's own; where it ran stays."""
    own = Attempt.of("sub-01", FAILURE, host="node1")
    slurm = WorkflowFailure("killed", failure_class=FailureClass.TIMEOUT)
    again = own.ended(slurm, scheduler_state="TIMEOUT")
    assert ("node1", FailureClass.TIMEOUT, "killed") == (
        again.host,
        again.failure_class,
        again.message,
    )
