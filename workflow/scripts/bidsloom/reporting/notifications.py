"""Tell people that a run has ended, by apprise: mail, Slack, Mattermost, and more.

Addresses hold passwords and tokens.  Before any job starts they are taken out
of the environment, or read from a file that nobody else can read.  They stay
in the memory of Snakemake's main process, which passes them to the sender on
its standard input.  Messages name an address only by its number.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.paths import STANDALONE
from ..base.private_files import read_private
from ..base.runners import PYTHON, call, node_name
from ..config import Study
from ..config.study import Notify
from ..records.unit_state import UnitState
from .unit_states import Row, describe_counts

SENDER = STANDALONE / "send_notification.py"
# The sender gives up before that.
SECONDS = 40
# States of results that are not complete, and what a message says of them.
NOT_COMPLETE = {
    UnitState.INCOMPLETE: "to be looked at, not merged",
    UnitState.HELD: "held as you asked",
}


@dataclass(frozen=True)
class Addresses:
    """Where messages go, and where that is said; the addresses show in no text."""

    source: str = ""
    urls: tuple[str, ...] = field(default=(), repr=False)


def take_addresses(notify: Notify) -> Addresses:
    """The addresses, which are removed from this process' environment.

    Raises `WorkflowFailure` where the file that holds them can be read by
    others, or apprise is missing or does not know an address.
    """
    if notify.variable:
        addresses = parse_addresses(f"${notify.variable}", take_variable(notify.variable))
    elif notify.file:
        addresses = parse_addresses(
            str(notify.file), read_private(notify.file, key="notify.urls_file", one_line="address")
        )
    else:
        return Addresses()
    if addresses.urls:
        check_addresses(addresses)
    return addresses


@cache
def take_variable(name: str) -> str:
    """The value of a variable, which is removed; several studies of a run may name the same one."""
    return os.environ.pop(name, "")


def parse_addresses(source: str, text: str) -> Addresses:
    """Addresses, one a line or separated by blanks; a line that starts with `#` is none."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return Addresses(source, tuple(" ".join(lines).split()))


def check_addresses(addresses: Addresses) -> None:
    """Refuse addresses that apprise does not know, before a run of days ends with them."""
    if importlib.util.find_spec("apprise") is None:
        raise WorkflowFailure(
            "notify is set, but the Python package apprise is missing.",
            hint=f"{PYTHON} -m pip install apprise",
        )
    known = ask_sender(addresses)
    wrong = [str(number) for number, fine in enumerate(known, 1) if not fine]
    if wrong:
        raise WorkflowFailure(
            f"Of the addresses in {addresses.source}, apprise does not know number "
            f"{', '.join(wrong)}.",
            hint="each is a URL such as mailto://user:password@example.org; "
            "https://github.com/caronc/apprise lists them.",
        )


def send_message(addresses: Addresses, *, title: str, body: str) -> list[str]:
    """Send a message to each address; returns a line for each where that failed.

    Nothing that happens there makes the run fail: it is over.
    """
    went_well = [False] * len(addresses.urls)
    with contextlib.suppress(CommandError, OSError, ValueError):
        went_well = ask_sender(addresses, title=title, body=body)
    return [
        f"bidsloom: the message to address {number} of {addresses.source} was not delivered"
        for number, fine in enumerate(went_well, 1)
        if not fine
    ]


def ask_sender(addresses: Addresses, **message: str) -> list[bool]:
    """For each address whether it is known, and the message, if there is one, was delivered."""
    asked = json.dumps({"urls": addresses.urls, **message})
    answer = call([PYTHON, str(SENDER)], cwd=Path("/"), stdin=asked, timeout=SECONDS)
    return json.loads(answer.splitlines()[-1])


def compose_message(study: Study, rows: Iterable[Row], *, success: bool) -> dict[str, str]:
    """The message about a run: how it ended, numbers, where to read more; no subject's label.

    Results that are not complete are counted apart from failures.
    """
    rows = list(rows)
    classes = Counter(
        row.failure_class for row in rows if row.failure_class and row.state not in NOT_COMPLETE
    )
    failed = ", ".join(f"{n} {name}" for name, n in classes.most_common())
    states = [row.state for row in rows]
    parts = [f"{n} {words}" for state, words in NOT_COMPLETE.items() if (n := states.count(state))]
    lines = [
        describe_counts(rows),
        *([f"Failed: {failed}"] if failed else []),
        *([f"Not complete: {', '.join(parts)}"] if parts else []),
        f"Report: {study.files.report_page} on {node_name()}",
    ]
    only_incomplete = UnitState.INCOMPLETE in states and not failed
    ended = "ended with incomplete results" if only_incomplete else "ended with failures"
    ended = "is done" if success else ended
    return {"title": f"bidsloom: {study.name} {ended}", "body": "\n".join(lines)}
