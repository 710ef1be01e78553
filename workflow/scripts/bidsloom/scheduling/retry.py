"""Whether another attempt at a unit is worth it, by why the last one failed.

A job that ran out of memory or time is tried again with more of it
(`requests`), a job whose node failed is tried again as it was.  An app's own
failure is tried once more, because some errors are temporary.  Bad input and
a unit that somebody cancelled on purpose are not tried again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..base.errors import FailureClass
from ..records.attempts import Attempt

ONCE_MORE = {FailureClass.APP_ERROR, FailureClass.INPUT_UNAVAILABLE, FailureClass.NO_SPACE}
NEVER = {FailureClass.BAD_CONFIG, FailureClass.WAITS}


def is_worth_retrying(attempts: Sequence[Attempt], *, this_run: int) -> bool:
    """Whether the last of some failed attempts may go better another time.

    `this_run` is the number of attempts that the running Snakemake has made.
    """
    if not attempts:
        return True
    classes = [attempt.failure_class for attempt in attempts[-this_run:]]
    if classes[-1] in NEVER or attempts[-1].on_purpose:
        return False
    return not (classes[-1] in ONCE_MORE and classes[-1] in classes[:-1])
