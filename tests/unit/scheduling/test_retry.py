"""Whether there is another attempt."""

import pytest
from bidsloom.base.errors import FailureClass
from bidsloom.records.attempts import Attempt
from bidsloom.scheduling.retry import is_worth_retrying


def failed(why: str) -> Attempt:
    return Attempt(unit="sub-1", failure_class=FailureClass(why))


@pytest.mark.parametrize(
    ("classes", "this_run", "worth"),
    [
        (["out_of_memory"] * 3, 3, True),
        (["node_failure"] * 3, 3, True),
        (["app_error"], 1, True),
        (["app_error", "app_error"], 2, False),
        (["app_error", "app_error"], 1, True),
        (["timeout", "app_error"], 2, True),
        (["bad_config"], 1, False),
        ([], 1, True),
    ],
)
def test_what_is_tried_again(classes, this_run, worth):
    """An app's own error once more in one run, bad input never, the rest as often as allowed."""
    assert worth == is_worth_retrying([failed(why) for why in classes], this_run=this_run)
