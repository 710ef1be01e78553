"""The status of a study in words: counts, what runs where, what failed and why."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from datetime import datetime

from ..base.text import text_table
from ..config import Study
from ..records.unit_state import StateKind, UnitState
from .unit_states import Row, count_states

# At most this many rows of a kind are shown, unless all are asked for.
SHOWN = 30


def exit_code(rows: Iterable[Row]) -> int:
    """0: all is done and merged; 1: units failed, and no job is at work; 2: there is work left."""
    kinds = {row.state.kind for row in rows}
    if StateKind.AT_WORK in kinds:
        return 2
    if StateKind.TROUBLED in kinds:
        return 1
    return 2 if StateKind.TO_DO in kinds else 0


def status_text(rows: list[Row], study: Study, *, shown: str = "") -> str:
    """Counts first, then what is at work and what failed; `shown` is `all`, `failed` or neither."""
    counts = count_states(rows)
    told = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    parts = [f"{study.name}: {told or 'no units'}{time_left(rows)}"]
    if shown == "all":
        parts.append(whole_table(rows))
    else:
        limit = None if shown == "failed" else SHOWN
        if not shown:
            parts.append(work_table([row for row in rows if row.state is UnitState.RUNNING], limit))
        parts.append(trouble_table([row for row in rows if row.state.is_troubled], limit))
    return "\n\n".join(filter(None, parts))


def minutes_left(rows: Iterable[Row]) -> int | None:
    """An estimate of when all is done; None where there is nothing to estimate from."""
    rows = list(rows)
    took = [row.seconds for row in rows if row.seconds]
    running = sum(row.state is UnitState.RUNNING for row in rows)
    left = sum(row.state.is_at_work or row.state is UnitState.WAITING for row in rows)
    if not (took and running):
        return None
    return max(1, round(statistics.median(took) * left / running / 60))


def time_left(rows: Iterable[Row]) -> str:
    """The estimate in words; nothing where there is none."""
    left = minutes_left(rows)
    if left is None:
        return ""
    hours, minutes = divmod(left, 60)
    return f"; about {f'{hours} h ' if hours else ''}{minutes} min left"


def work_table(rows: list[Row], limit: int | None) -> str:
    """Units that jobs process now, the longest first."""
    rows = sorted(rows, key=lambda row: row.since)
    cells = [[row.unit, row.node, clock(row.since), row.job, attempt_of(row)] for row in rows]
    return limited(["running", "node", "since", "SLURM job", "attempt"], cells, limit)


def trouble_table(rows: list[Row], limit: int | None) -> str:
    """Units that somebody has to look at."""
    cells = [
        [row.unit, row.failure_class or row.state, str(row.attempts), row.reason, row.next]
        for row in rows
    ]
    return limited(["failed", "class", "attempts", "why", "next"], cells, limit)


def whole_table(rows: list[Row]) -> str:
    """Every unit, a line each where the terminal is wide enough."""
    cells = [
        [row.unit, row.state, row.node, clock(row.since), row.job]
        + [row.failure_class, str(row.attempts or ""), row.reason]
        for row in rows
    ]
    columns = ["unit", "state", "node", "since", "SLURM job", "class", "attempts", "why"]
    return text_table(columns, cells)


def limited(columns: list[str], cells: list[list[str]], limit: int | None) -> str:
    """A table of at most so many rows, and how many more there are; nothing for no rows."""
    if not cells:
        return ""
    more = len(cells) - limit if limit is not None else 0
    tail = f"\nand {more:,} more: --all shows every unit" if more > 0 else ""
    return text_table(columns, cells[:limit]) + tail


def attempt_of(row: Row) -> str:
    """Which attempt a job is, and what the last one failed for."""
    return f"{row.attempts + 1}, after {row.failure_class}" if row.failure_class else "1"


def clock(since: str) -> str:
    """A time for people, with its day where that is another one."""
    try:
        at = datetime.fromisoformat(since)
    except ValueError:
        return since
    return at.strftime("%H:%M:%S" if at.date() == datetime.now().date() else "%d %b %H:%M")
