"""What became of every unit, from its record, its attempts and what the last merge said.

Reads no dataset and changes nothing.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..base.files import read_json, read_tsv
from ..config import Study
from ..units.listing import find_withdrawn, known_units, read_units
from ..units.unit import GROUP
from .sizing import Usage, usage_of

# What a report tells of each attempt that failed.
ATTEMPT_FACTS = ("end", "failure_class", "exit_code", "host", "scheduler_job_id", "requested")


@dataclass(frozen=True)
class Notes:
    """What is noted of one unit: the record of its result, if any, and its failed attempts."""

    unit: str
    record: dict | None
    attempts: list[dict]


@dataclass(frozen=True)
class Row:
    """One unit in the report.

    `state` is one of merged, done (waiting for the merge), unmerged (the merge
    left it out), failed, waiting, excluded, withdrawn; while jobs run also
    running, queued, and lost (recorded, but not in the store).  `history` tells
    of the attempts that failed, the last one last.
    """

    unit: str
    state: str
    failure_class: str = ""
    exit_code: int | None = None
    attempts: int = 0
    seconds: float | None = None
    commit: str = ""
    reason: str = ""
    next: str = ""
    log: tuple[str, ...] = ()
    usage: Usage | None = None
    history: tuple[dict, ...] = ()
    # Of a unit that is worked at: where, since when, and SLURM's id of the job.
    node: str = ""
    since: str = ""
    job: str = ""


def collect_rows(study: Study) -> list[Row]:
    """A row for every unit, and for every one left out."""
    results = study.results
    merged = set((read_json(results / "merged.json") or {}).get("merged", []))
    left = {row["unit"]: row["reason"] for row in read_tsv(results / "unmerged.tsv")}
    rows = [describe_unit(notes, merged=merged, left=left) for notes in read_notes(study)]
    excluded = read_tsv(results / "excluded.tsv")
    rows += [Row(row["unit"], "excluded", reason=row["reason"]) for row in excluded]
    known = known_units(study) | {row.unit for row in rows}
    rows += [describe_withdrawn(unit) for unit in find_withdrawn(merged, known)]
    return [tell_earlier(row) if row.unit in merged else row for row in rows]


def tell_earlier(row: Row) -> Row:
    """A row that also tells of a result in main that is not the one that is asked for now."""
    if row.state not in ("failed", "waiting", "excluded"):
        return row
    told = "main holds an earlier result"
    return replace(row, reason=f"{row.reason}; {told}" if row.reason else told)


def describe_withdrawn(unit: str) -> Row:
    """A unit that main holds and the input does not any more."""
    return Row(
        unit=unit,
        state="withdrawn",
        reason="the input does not have it any more; its result stays in main",
        next="set subjects.withdrawn: remove to take it out of main",
    )


def read_notes(study: Study) -> Iterator[Notes]:
    """What is noted of every unit of the study, in order, and of the group."""
    listed = [row["unit"] for row in read_tsv(study.results / "subjects.tsv")]
    units = listed or [unit.name for unit in read_units(study)]
    if study.container.group_level:
        units.append(GROUP)
    for unit in units:
        yield Notes(
            unit=unit,
            record=read_json(study.results / "jobs" / f"{unit}.json"),
            attempts=read_json(study.results / "attempts" / f"{unit}.json") or [],
        )


def describe_unit(notes: Notes, *, merged: set[str], left: dict[str, str]) -> Row:
    """One unit's state, from what is known of it."""
    unit, record, attempts = notes.unit, notes.record, notes.attempts
    history = tuple(describe_attempt(attempt) for attempt in attempts)
    if record is not None:
        state = "unmerged" if unit in left else "merged" if unit in merged else "done"
        return Row(
            unit=unit,
            state=state,
            attempts=record.get("attempt", len(attempts) + 1),
            seconds=round(sum(record["seconds"].values()), 1) if "seconds" in record else None,
            commit=record["commit"],
            reason=left.get(unit, ""),
            next={
                "done": "snakemake merge",
                "unmerged": "name the file in datalad.shared_files if every unit may write it",
            }.get(state, ""),
            usage=usage_of(record),
            history=history,
        )
    if not attempts:
        return Row(unit, "waiting", next="snakemake --cores all")
    last = attempts[-1]
    return Row(
        unit=unit,
        state="failed",
        failure_class=last["failure_class"],
        exit_code=last.get("exit_code"),
        attempts=len(attempts),
        reason=first_line(last),
        next=last.get("hint", ""),
        log=tuple(last.get("log", ())),
        history=history,
    )


def describe_attempt(attempt: dict) -> dict:
    """What a report tells of a failed attempt."""
    facts = {name: attempt[name] for name in ATTEMPT_FACTS if attempt.get(name) is not None}
    return facts | {"message": first_line(attempt)}


def first_line(attempt: dict) -> str:
    """What an attempt's message says before it quotes the log."""
    return attempt.get("message", "").partition("\n")[0].removesuffix(" Its last lines:")


def describe_counts(rows: Iterable[Row]) -> str:
    """How many units are in which state."""
    counts = Counter(row.state for row in rows)
    order = ["merged", "done", "unmerged", "failed", "waiting", "excluded", "withdrawn"]
    return ", ".join(f"{counts[s]} {s}" for s in order if counts[s]) or "no units"


def summarize(rows: list[Row], study: Study) -> str:
    """A few lines for the terminal: how many, which failed, and why."""
    lines = [describe_counts(rows)]
    troubled = [row for row in rows if row.state in ("failed", "unmerged")]
    for row in troubled[:10]:
        lines.append(f"  {row.unit}: {row.failure_class or row.state}: {row.reason}")
    if len(troubled) > 10:
        lines.append(f"  and {len(troubled) - 10} more")
    lines.append(f"Report: {shlex.quote(str(study.results / 'report.html'))}")
    return "\n".join(lines)
