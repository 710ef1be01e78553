"""Units that failed for the same reason, together: 10,000 jobs may fail for one typo."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..base.errors import FailureClass
from ..records.unit_state import UnitState
from .unit_states import Row

# What differs between units that fail alike: times, addresses, process ids, sizes.
VARYING = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{7,64}\b|\d+")


@dataclass(frozen=True)
class Cause:
    """Why some units have no result; reason, last line and hint are the first one's."""

    state: UnitState
    failure_class: str
    exit_code: int | None
    reason: str
    last_line: str
    next: str
    units: tuple[str, ...]


def find_causes(rows: Iterable[Row]) -> list[Cause]:
    """Why units have no result: failures first, then by the number of units."""
    alike: dict[tuple, list[Row]] = {}
    for row in rows:
        if row.reason:
            alike.setdefault(cause_key(row), []).append(row)
    causes = [
        Cause(
            state=rows[0].state,
            failure_class=rows[0].failure_class,
            exit_code=rows[0].exit_code,
            reason=rows[0].reason,
            last_line=last_words(rows[0]),
            next=rows[0].next,
            units=tuple(row.unit for row in rows),
        )
        for rows in alike.values()
    ]
    return sorted(causes, key=lambda c: (rank(c.state), -len(c.units), c.units[0]))


def rank(state: UnitState) -> tuple[bool, int]:
    """Where the causes of a state are listed: trouble first."""
    return not state.is_troubled, state.order


def cause_key(row: Row) -> tuple:
    """What units with the same cause share.

    Where the app failed, its last line says more than the reason; otherwise the
    reason says more than the last line of the log.
    """
    said = last_words(row) if row.failure_class == FailureClass.APP_ERROR else row.reason
    return row.state, row.failure_class, row.exit_code, without_varying(said, row.unit)


def without_varying(text: str, unit: str) -> str:
    """A text without the unit's name and without numbers, as units that fail alike share it."""
    for name in {unit, *unit.split("_")}:
        text = text.replace(name, "")
    return VARYING.sub("#", text)


def last_words(row: Row) -> str:
    """The last line of a unit's log that says something."""
    return next((line.strip() for line in reversed(row.log) if line.strip()), "")
