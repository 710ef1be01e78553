"""Notes of cancelled units."""

from bidsloom.base.errors import FailureClass
from bidsloom.records.cancellations import note_cancellation, read_cancellation


def test_cancellation_says_who(study):
    assert read_cancellation(study, "sub-01") is None
    note_cancellation(study, "sub-01")
    note = read_cancellation(study, "sub-01")
    failure = note.as_failure("sub-01")
    assert (f"by {note.by}" in failure.message, FailureClass.CANCELLED) == (
        True,
        failure.failure_class,
    )
