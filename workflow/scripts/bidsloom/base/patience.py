"""Waiting for a server that is away for a while, or that cut a connection.

git-annex goes on where a transfer was cut: trying again sends the rest alone.
Only jobs, preparing and merging wait; whoever sits at a terminal gets the
server's answer at once.
"""

from __future__ import annotations

import contextlib
import logging
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from .credentials import access_hint
from .errors import CommandError, WorkflowFailure

log = logging.getLogger(__name__)

Found = TypeVar("Found")
# Seconds of the first wait, which doubles each time, and of the longest one.
FIRST, LONGEST = 2.0, 120.0
AWAY = re.compile(
    r"""
      connection\ ?(refused|reset|closed|timed\ out|timeout|failure|was\ aborted)
    | (operation|connect|read|request)\ timed\ out | timeout\ was\ reached | \bResponseTimeout$
    | (failed|couldn't|unable)\ to\ connect | network\ is\ (unreachable|down) | no\ route\ to\ host
    | could\ not\ resolve | temporary\ failure\ in\ name | name\ or\ service\ not\ known
    | early\ eof | unexpected\ disconnect | hung\ up\ unexpectedly | broken\ pipe
    | kex_exchange_identification | ResponseBodyTooShort | IncompleteHeaders
    | NoResponseDataReceived | transfer\ closed | unexpected\ end\ of\ file
    | (error:|HTTP(/\d(\.\d)?)?|statusCode\ =)\ (429|50[0234])\b
    | service\ unavailable | bad\ gateway | gateway\ time-?out | SlowDown
    """,
    re.VERBOSE | re.IGNORECASE,
)


class _Patience:
    """How many seconds this process waits, and since when a server has been away."""

    seconds = 0.0
    since: float | None = None


@contextlib.contextmanager
def patient(minutes: float) -> Iterator[None]:
    """Wait that long for servers during a block, counted from when one was found away."""
    before = _Patience.seconds
    _Patience.seconds, _Patience.since = 60 * minutes, None
    try:
        yield
    finally:
        _Patience.seconds = before


def outlast(act: Callable[[], Found]) -> Found:
    """Do something with a server; while it is away, wait and do it again.

    Raises the last `CommandError` or `WorkflowFailure` where it stays away, and
    any other one at once.
    """
    wait = FIRST
    while True:
        try:
            found = act()
        except (CommandError, WorkflowFailure) as e:
            said = e.stderr if isinstance(e, CommandError) else e.message
            if not is_away(said):
                raise
            now = time.monotonic()
            if _Patience.since is None:
                _Patience.since = now
            left = _Patience.since + _Patience.seconds - now
            if left <= 0:
                raise
            # Thousands of jobs that lost the same server do not come back together.
            pause = min(wait * random.uniform(0.5, 1.5), LONGEST, left)
            log.warning("%s; trying again in %.0f s", first_sign(said), pause)
            time.sleep(pause)
            wait *= 2
        else:
            _Patience.since = None
            return found


def is_away(said: str) -> bool:
    """True where a program's error message means that a server did not answer, or broke off."""
    return bool(AWAY.search(said)) and access_hint("", said) is None


def first_sign(said: str) -> str:
    """The line of an error message that shows that a server is away."""
    lines = (line.strip() for line in said.splitlines() if AWAY.search(line))
    return next(lines, said)[:300]
