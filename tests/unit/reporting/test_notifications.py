"""What messages say of the end of a run."""

import pytest
from bidsloom.config import read_study
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.notifications import compose_message
from bidsloom.reporting.unit_states import Row
from helpers.old_config import OLD

FAILED = Row("sub-1", UnitState.FAILED, "app_error")
RETRIED = Row("sub-2", UnitState.INCOMPLETE, "incomplete")
HELD = Row("sub-3", UnitState.HELD)


@pytest.mark.parametrize(
    ("rows", "ended", "told"),
    [
        ([FAILED], "ended with failures", ["Failed: 1 app_error"]),
        (
            [FAILED, RETRIED],
            "ended with failures",
            ["Failed: 1 app_error", "Not complete: 1 to be looked at, not merged"],
        ),
        (
            [RETRIED, HELD],
            "ended with incomplete results",
            ["Not complete: 1 to be looked at, not merged, 1 held as you asked"],
        ),
    ],
)
def test_incomplete_results_are_counted_apart(tmp_path, rows, ended, told):
    """They are no failures, whatever the last attempt at them is called."""
    study = read_study(OLD, base=tmp_path)
    message = compose_message(study, rows, success=False)
    assert message["title"].endswith(ended)
    assert told == message["body"].splitlines()[1:-1]
