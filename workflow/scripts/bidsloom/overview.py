"""What a study is about to do, in a few lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from .bids import Units
from .due import summarize_due
from .selection import count_reasons
from .study import OpenStudy


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
