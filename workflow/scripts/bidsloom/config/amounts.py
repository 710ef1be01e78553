"""Amounts of memory and time that nobody can ask for, and command lines that are too long."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from ..base.errors import WorkflowFailure
from .values import app_arguments, as_list, parse_memory, parse_time, value_at

MEMORY = (("hpc", "mem"), ("hpc", "group", "mem"), ("hpc", "retry", "max_mem"))
TIMES = (("hpc", "time"), ("hpc", "group", "time"), ("hpc", "retry", "max_time"))
# A petabyte, in MB, and ten years, in minutes.
MOST_MEMORY, MOST_TIME = 2**30, 10 * 365 * 24 * 60
# The app's command reaches a shell as one argument, for which Linux has 128 kB.
LONGEST_COMMAND = 100_000


def find_amount_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Amounts of nothing, or of more than there is anywhere."""
    for keys in MEMORY:
        text = value_at(config, *keys)
        if not isinstance(text, str | int) or isinstance(text, bool):
            continue
        try:
            size: int | None = parse_memory(text)
        except (ValueError, OverflowError):
            size = MOST_MEMORY + 1 if re.match(r"\d{10}", str(text)) else None
        if size is not None and (size > MOST_MEMORY or not re.search("[1-9]", str(text))):
            yield amount_fault(keys, text, "an amount of memory that a computer has", "32G")
    for keys in TIMES:
        text = value_at(config, *keys)
        try:
            minutes = parse_time(text) if isinstance(text, str) else None
        except (ValueError, IndexError):
            continue  # the schema says so
        if minutes is not None and (minutes > MOST_TIME or not re.search("[1-9]", str(text))):
            yield amount_fault(keys, text, "a time of a minute to some weeks", "24:00:00")


def amount_fault(keys: tuple[str, ...], text: object, wanted: str, example: str) -> WorkflowFailure:
    """The fault of an amount."""
    return WorkflowFailure(
        f"{'.'.join(keys)} is {str(text)[:50]!r}; expected: {wanted}.",
        hint=f"for example {example!r}; or delete the key.",
    )


def find_length_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Command lines of the app that the system could not start."""
    container = value_at(config, "container")
    fixed = 0
    for name in ("call_fmt", "executable", "outputs"):
        texts = as_list(value_at(container, name) or "")
        fixed += sum(len(str(text).encode(errors="replace")) + 1 for text in texts)
    for name in ("bids_args", "group_args"):
        arguments = value_at(container, name)
        if not isinstance(arguments, Mapping):
            continue
        command = shlex.join(app_arguments(arguments))
        size = fixed + len(command.encode(errors="replace"))
        if size > LONGEST_COMMAND:
            yield WorkflowFailure(
                f"container.{name} makes a command line of {size:,} bytes; expected: at most "
                f"{LONGEST_COMMAND:,}.",
                hint="write long lists into a file that the app reads, and bind it "
                "(container.binds).",
            )
