"""What the next attempt at a unit asks for, by why the last one failed.

A job that ran out of memory or time gets more of it; one that was lost with its
node gets the same again; an app's own failure is tried once more as it was,
since some are passing; bad input is not tried again at all, nor what somebody
cancelled on purpose.
"""

from __future__ import annotations

from ..base.errors import FailureClass

ONCE_MORE = {FailureClass.APP_ERROR, FailureClass.INPUT_UNAVAILABLE, FailureClass.NO_SPACE}
NEVER = {FailureClass.BAD_CONFIG}


def is_worth_retrying(attempts: list[dict], *, this_run: int) -> bool:
    """Whether the last of some failed attempts may go better another time.

    `this_run` is the number of attempts that the running Snakemake has made.
    """
    if not attempts:
        return True
    classes = [attempt.get("failure_class") for attempt in attempts[-this_run:]]
    if classes[-1] in {c.value for c in NEVER} or attempts[-1].get("on_purpose"):
        return False
    once = {c.value for c in ONCE_MORE}
    return not (classes[-1] in once and classes[:-1].count(classes[-1]) >= 1)
