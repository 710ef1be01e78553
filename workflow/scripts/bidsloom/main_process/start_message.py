"""What a start says: how many units are due and why, in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ..base.text import a_few
from ..records.open_study import OpenStudy
from ..units.selection import count_reasons
from ..units.unit import Units

# Show at most this many reasons, and units, at the start.
REASONS = 5
NAMES = 10


class Reasons:
    """For a rule's message: `{WHY:mystudy sub-01}` is why that unit is due, after a colon.

    In a param or a resource it would make finished units due again.
    """

    def __init__(self) -> None:
        self.why: dict[str, Mapping[str, str]] = {}

    def add(self, study: str, why: Mapping[str, str]) -> None:
        """Add why units of a study are due."""
        self.why[study] = why

    def __format__(self, named: str) -> str:
        study, _, unit = named.rpartition(" ")
        reason = self.why.get(study, {}).get(unit)
        return f": {reason}" if reason else ""


def describe_start(opened: OpenStudy) -> Iterator[str]:
    """Lines that are printed once, at a dry run and at a start."""
    yield from describe_selection(opened.units)
    yield from summarize_due(opened)


def describe_selection(units: Units) -> Iterator[str]:
    """How many are processed, and how many are left out for what."""
    number = f"{len(units.units)} unit{'s' if len(units.units) > 1 else ''}"
    if not units.excluded:
        yield number
        return
    yield f"{number}; {len(units.excluded)} left out:"
    yield from (f"  {line}" for line in count_reasons(units.excluded))


def summarize_due(opened: OpenStudy) -> list[str]:
    """How many units are due, and why, in a few lines."""
    why, done = opened.why, len(opened.done)
    lines = [f"nothing to process: {done} unit(s) are done"]
    waiting = [f"{unit} {reason}" for unit, reason in opened.waits.items()]
    if why:
        counts = Counter(why.values()).most_common()
        lines = [f"{len(why)} unit(s) to process, {done} done:"]
        lines += [f"  {count} {reason}" for reason, count in counts[:REASONS]]
        if len(counts) > REASONS:
            rest = sum(count for _, count in counts[REASONS:])
            lines.append(f"  {rest} for {len(counts) - REASONS} other reasons")
    lines += waiting[:REASONS]
    if len(waiting) > REASONS:
        lines.append(f"and {len(waiting) - REASONS} more wait for results of other studies")
    if opened.withdrawn:
        what = "removed from" if opened.study.remove_withdrawn else "kept in"
        lines.append(f"withdrawn from the input, {what} main: {names_of(opened.withdrawn)}")
    return lines


def names_of(units: Sequence[str]) -> str:
    """A few units by name, the others by number."""
    return a_few(units, NAMES)
