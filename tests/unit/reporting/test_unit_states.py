"""The state of a unit, from its records."""

import pytest
from bidsloom.base.errors import FailureClass
from bidsloom.records.attempts import Attempt
from bidsloom.records.job_record import JobRecord
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.unit_states import Notes, Row, describe_unit, with_earlier_result


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("failed", "no brain", "no brain; main holds an earlier result"),
        ("waiting", "", "main holds an earlier result"),
        ("merged", "", ""),
    ],
)
def test_an_earlier_result_in_main_is_told(state, reason, told):
    """Nobody takes what main holds for the result that is asked for now."""
    assert told == with_earlier_result(Row("sub-1", UnitState(state), reason=reason)).reason


def test_failed_unit_tells_its_attempts():
    attempt = Attempt(
        unit="sub-1",
        failure_class=FailureClass.APP_ERROR,
        exit_code=3,
        message="It failed. Its last lines:\nx",
    )
    row = describe_unit(Notes("sub-1", None, [attempt, attempt]), merged=set(), left={}, held={})
    assert ("failed", 2, "It failed.") == (row.state, row.attempts, row.reason)
    told = {"failure_class": "app_error", "exit_code": 3, "message": "It failed."}
    assert [told, told] == row.to_json()["history"]


def test_an_incomplete_result_says_all_that_is_known_of_it():
    """Every reason, what was not saved, and what to type; a held one as well."""
    record = JobRecord(
        unit="sub-1",
        commit="c",
        incomplete=("no file a", "no file b", "no file c", "no file d"),
        left_out={"out/pipe": "no file"},
        notes=("out/link: made relative",),
    )
    for state in (UnitState.INCOMPLETE, UnitState.HELD):
        row = describe_unit(
            Notes("sub-1", record, []), merged=set(), left={}, held={}, held_state=state
        )
        assert (state, "no file a, no file b, no file c and 1 more") == (row.state, row.reason)
        assert record.incomplete == row.reasons
        assert "accept.py sub-1" in row.next
        assert (("out/pipe: no file",), record.notes) == (row.left_out, row.notes)
