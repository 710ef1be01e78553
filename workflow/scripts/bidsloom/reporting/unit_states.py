"""The state of every unit, from its record, its attempts and the last merge.

Reads no dataset and changes nothing.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..base.errors import FailureClass, WorkflowFailure
from ..base.files import read_tsv
from ..base.paths import COMMAND
from ..base.text import a_few
from ..config import Study
from ..records.attempts import Attempt, read_attempts
from ..records.job_record import JobRecord, read_record
from ..records.merge_outcome import MergeOutcome, read_merge_outcome, read_unmerged
from ..records.unit_state import UnitState
from ..units.listing import find_withdrawn, known_units, read_units
from ..units.unit import GROUP
from .awaited import describe_awaited
from .sizing import Usage, usage_of

# What a report says of each attempt that failed.
ATTEMPT_FACTS = ("end", "failure_class", "exit_code", "host", "scheduler_job_id", "requested")
# States of units of which main can hold an earlier result.
EARLIER_RESULT = (
    UnitState.FAILED,
    UnitState.WAITING,
    UnitState.EXCLUDED,
    UnitState.INCOMPLETE,
    UnitState.HELD,
)
# States after which a run has nothing left to do for a unit.
SETTLED = (UnitState.MERGED, UnitState.HELD, UnitState.EXCLUDED, UnitState.WITHDRAWN)
# At most this many reasons are shown of a result that is not complete.
REASONS = 3
# At most this many units with trouble are listed at the end of a run.
LISTED = 10


@dataclass(frozen=True)
class Notes:
    """The notes on one unit: the record of its result, if any, and its failed attempts."""

    unit: str
    record: JobRecord | None
    attempts: Sequence[Attempt]


@dataclass(frozen=True)
class Row:
    """One unit in the report; `history` are the attempts that failed, the last one last.

    `reasons` are all reasons why a result is not complete, `left_out` and
    `notes` say which entries were not saved and what was changed to save others.
    """

    unit: str
    state: UnitState
    failure_class: str = ""
    exit_code: int | None = None
    attempts: int = 0
    seconds: float | None = None
    commit: str = ""
    reason: str = ""
    next: str = ""
    log: tuple[str, ...] = ()
    usage: Usage | None = None
    history: tuple[Attempt, ...] = ()
    reasons: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    # Of a unit that a job processes: where, since when, and SLURM's id of the job.
    node: str = ""
    since: str = ""
    job: str = ""

    def to_json(self) -> dict[str, Any]:
        """The row for programs."""
        return {
            **vars(self),
            "usage": self.usage and self.usage.to_json(),
            "history": [describe_attempt(attempt) for attempt in self.history],
        }


def collect_rows(
    study: Study,
    notes: Iterable[Notes] | None = None,
    *,
    describe: Callable[..., Row] | None = None,
) -> list[Row]:
    """A row for every unit, and for every one left out.

    `notes` were read already, `describe` is `describe_unit` with a memory.
    """
    excluded = {row["unit"]: row["reason"] for row in read_tsv(study.files.excluded)}
    rows = describe_units(
        study,
        read_notes(study) if notes is None else notes,
        outcome=read_merge_outcome(study),
        left=read_unmerged(study),
        excluded=excluded,
        known=known_units(study),
        describe=describe,
    )
    awaited = describe_awaited(study, (r.unit for r in rows if r.state is UnitState.WAITING))
    return [replace(r, reason=awaited[r.unit], next="") if r.unit in awaited else r for r in rows]


def describe_units(
    study: Study,
    notes: Iterable[Notes],
    *,
    outcome: MergeOutcome,
    left: Mapping[str, str],
    excluded: Mapping[str, str],
    known: Collection[str],
    describe: Callable[..., Row] | None = None,
) -> list[Row]:
    """A row for every unit, and for every one left out; nothing is read here.

    `outcome` and `left` are what the last merge did and left out, `excluded` is
    unit -> reason, `known` are the units of the input.
    """
    merged = set(outcome.merged)
    describe = describe or describe_unit
    held = UnitState.HELD if study.container.on_incomplete == "hold" else UnitState.INCOMPLETE
    rows = [
        describe(each, merged=merged, left=left, held=outcome.held, held_state=held)
        for each in notes
    ]
    rows += [Row(unit, UnitState.EXCLUDED, reason=why) for unit, why in excluded.items()]
    known = {*known, *(row.unit for row in rows)}
    rows += [describe_withdrawn(unit) for unit in find_withdrawn(merged, known)]
    return [with_earlier_result(row) if row.unit in merged else row for row in rows]


def with_earlier_result(row: Row) -> Row:
    """A row that says, where main holds a result, that it is not the one asked for now."""
    if row.state not in EARLIER_RESULT:
        return row
    earlier = "main holds an earlier result"
    return replace(row, reason=f"{row.reason}; {earlier}" if row.reason else earlier)


def describe_withdrawn(unit: str) -> Row:
    """A unit that main still holds, but the input does not."""
    return Row(
        unit=unit,
        state=UnitState.WITHDRAWN,
        reason="the input does not have it any more; its result stays in main",
        next="set subjects.withdrawn: remove to take it out of main",
    )


def read_notes(study: Study) -> Iterator[Notes]:
    """The notes on every unit of the study, in order, and on the group."""
    for unit in list_units(study):
        yield Notes(unit, read_record(study, unit), read_attempts(study, unit))


def list_units(study: Study) -> list[str]:
    """The units of the study, in order, and the group."""
    listed = [row["unit"] for row in read_tsv(study.files.subjects)]
    units = listed or [unit.name for unit in read_units(study)]
    return [*units, GROUP] if study.container.group_level else units


def describe_unit(
    notes: Notes,
    *,
    merged: Collection[str],
    left: Mapping[str, str],
    held: Mapping[str, Sequence[str]],
    held_state: UnitState = UnitState.INCOMPLETE,
) -> Row:
    """One unit's state, from what is known of it.

    `merged`, `left` and `held` are what the last merge put into main, left on
    a job branch, and did not find complete.
    """
    unit, record, attempts = notes.unit, notes.record, notes.attempts
    history = tuple(attempts)
    if record is not None:
        reasons = held.get(unit, () if unit in merged else record.incomplete)
        state = UnitState.MERGED if unit in merged else UnitState.DONE
        state = held_state if reasons else state
        state = UnitState.UNMERGED if unit in left else state
        return Row(
            unit=unit,
            state=state,
            attempts=record.attempt or len(attempts) + 1,
            seconds=round(sum(record.seconds.values()), 1) if record.seconds else None,
            commit=record.commit,
            reason=left.get(unit, "") or a_few(reasons, REASONS),
            next={
                UnitState.DONE: "snakemake merge",
                UnitState.INCOMPLETE: to_accept(unit),
                UnitState.HELD: to_accept(unit),
                UnitState.UNMERGED: "name the file in datalad.shared_files if every unit may "
                "write it",
            }.get(state, ""),
            usage=usage_of(record),
            history=history,
            reasons=tuple(reasons),
            left_out=tuple(f"{path}: {why}" for path, why in record.left_out.items()),
            notes=record.notes,
        )
    if not attempts:
        return Row(unit, UnitState.WAITING, next="snakemake --cores all")
    last = attempts[-1]
    if last.failure_class is FailureClass.WAITS:
        reason = last.first_line.removeprefix(f"{unit} ")
        return Row(unit, UnitState.WAITING, reason=reason, next=last.hint)
    return Row(
        unit=unit,
        state=held_state if last.failure_class is FailureClass.INCOMPLETE else UnitState.FAILED,
        failure_class=last.failure_class or "",
        exit_code=last.exit_code,
        attempts=len(attempts),
        reason=last.first_line,
        next=last.hint,
        log=last.log,
        history=history,
    )


def to_accept(unit: str) -> str:
    """What to do about a result that is not complete."""
    return f"look at it; to merge it as it is: {COMMAND.format('accept')} {unit}"


def refuse_unsettled(rows: Iterable[Row]) -> None:
    """Refuse to call a study finished in which units are not merged, held on purpose or excluded.

    Raises `WorkflowFailure` with how many there are, and why.
    """
    left = [row for row in rows if row.state not in SETTLED]
    if left:
        lines = [f"  {row.unit}: {row.state}: {row.reason or row.next}" for row in left[:LISTED]]
        if len(left) > LISTED:
            lines.append(f"  and {len(left) - LISTED} more")
        raise WorkflowFailure(
            f"{len(left)} unit(s) are not merged: {describe_counts(left)}.\n" + "\n".join(lines),
            hint="the others are merged; `status` shows what each of these needs.",
        )


def describe_attempt(attempt: Attempt) -> dict[str, Any]:
    """What a report says of a failed attempt."""
    told = attempt.to_json()
    facts = {name: told[name] for name in ATTEMPT_FACTS if name in told}
    return facts | {"message": attempt.first_line}


def describe_counts(rows: Iterable[Row]) -> str:
    """How many units are in which state, in words."""
    counts = count_states(rows)
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "no units"


def count_states(rows: Iterable[Row]) -> dict[UnitState, int]:
    """How many units are in each state, without states that no unit is in."""
    counts = Counter(row.state for row in rows)
    return {state: counts[state] for state in UnitState if counts[state]}


def summarize_rows(rows: list[Row], study: Study) -> str:
    """A few lines for the terminal: how many, which failed, and why."""
    lines = [describe_counts(rows)]
    troubled = [row for row in rows if row.state.is_troubled]
    for row in troubled[:LISTED]:
        lines.append(f"  {row.unit}: {row.failure_class or row.state}: {row.reason}")
    if len(troubled) > LISTED:
        lines.append(f"  and {len(troubled) - LISTED} more")
    lines.append(f"Report: {shlex.quote(str(study.files.report_page))}")
    return "\n".join(lines)
