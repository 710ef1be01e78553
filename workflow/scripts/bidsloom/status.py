"""What becomes of every unit while a study runs.

Notes in `results/<study>/` tell most of it.  Over them stand the output store,
which is the truth about results, and the jobs that are there now.
Reads only, and needs no lock.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from .atwork import Work, find_local, find_queued
from .branches import Result, branch_name, read_ledger, read_results
from .cancelled import describe_cancel, list_cancelled
from .config import Study
from .errors import CommandError, WorkflowFailure
from .listing import read_units
from .records import read_json
from .runners import call_git_lines
from .states import Row, collect_rows
from .stores import MAIN, is_git_directory, last_line
from .study import unit_fingerprint
from .tables import text_table
from .targets import output_target

# States of units that somebody has to look at, and of those that jobs see to.
TROUBLED = {"failed", "unmerged", "lost"}
AT_WORK = {"running", "queued"}

# What a count line starts with; states that others add come after.
ORDER = ["merged", "done", "running", "queued", "waiting", "failed", "unmerged", "lost"]

# So many rows of a kind are shown, unless all are asked for.
SHOWN = 30


@dataclass(frozen=True)
class Held:
    """What the output store holds: unit -> commit of its job branch, and the commit of main.

    `repository` is where these commits can be read, None for a store that is
    not mounted: of that only the names are known.
    """

    branches: Mapping[str, str]
    main: str | None
    repository: Path | None


def current_rows(study: Study, *, warn: Callable[[WorkflowFailure], None]) -> list[Row]:
    """A row for every unit, as things stand; `warn` is told what could not be asked."""
    # In this order: a job that ends in between has left its record, and a
    # record's branch was there before it.
    work, held = find_local(study), None
    try:
        work += find_queued(study)
    except WorkflowFailure as e:
        warn(e)
    rows = collect_rows(study)
    try:
        held = read_store(study)
    except WorkflowFailure as e:
        warn(e)
    merged = read_merged(study, held)
    results = find_results(study, rows, held)
    best = {w.unit: w for w in sorted(work, key=lambda w: (w.running, w.since))}
    rows = [
        settle_row(row, held=held, merged=merged, result=results.get(row.unit), work=best)
        for row in rows
    ]
    cancelled = list_cancelled(study)
    return [
        replace(row, reason=describe_cancel(study, row.unit)["message"])
        if row.state == "waiting" and row.unit in cancelled
        else row
        for row in rows
    ]


def settle_row(
    row: Row,
    *,
    held: Held | None,
    merged: set[str],
    result: Result | None,
    work: Mapping[str, Work],
) -> Row:
    """A unit's row by what its notes, the store and the jobs say together."""
    if row.state in ("merged", "done") and held:
        if row.unit in held.branches:
            return replace(row, state="done", next="snakemake merge")
        if row.unit in merged:
            return replace(row, state="merged", next="")
        if held.repository is None:
            return row
        reason = "its result is recorded, but not in the output store"
        todo = f"remove jobs/{row.unit}.json of the study's results, then run snakemake"
        return replace(row, state="lost", reason=reason, next=todo)
    if row.state not in ("waiting", "failed"):
        return row
    if row.unit in work:
        at = work[row.unit]
        state = "running" if at.running else "queued"
        return replace(row, state=state, node=at.node, since=at.since, job=at.job, next="")
    if result and held:
        state = "done" if row.unit in held.branches else "merged"
        return Row(row.unit, state, attempts=row.attempts, commit=result.commit)
    return row


def read_store(study: Study) -> Held | None:
    """What the output store holds; None where it is not there yet."""
    store = output_target(study).store
    prefix = f"refs/heads/{branch_name(study.container.name, '')}"
    main = f"refs/heads/{MAIN}"
    try:
        if store.repository is None:
            told = call_git_lines(
                ["ls-remote", store.git_url, f"{prefix}*", main], cwd=study.results
            )
            heads = dict(reversed(line.split("\t")) for line in told)
        elif is_git_directory(store.repository):
            told = call_git_lines(
                ["for-each-ref", "--format=%(refname) %(objectname)", prefix, main],
                cwd=store.repository,
            )
            heads = dict(line.split(" ") for line in told)
        else:
            return None
    except CommandError as e:
        raise WorkflowFailure(
            f"The output store {store.url} cannot be read: {last_line(e.stderr)}",
            hint="see that it is mounted and reachable from here.",
        ) from e
    branches = {ref.removeprefix(prefix): c for ref, c in heads.items() if ref != main}
    return Held(branches, heads.get(main), store.repository)


def read_merged(study: Study, held: Held | None) -> set[str]:
    """The units whose results main holds, as the last merge said where it is still that main."""
    known = read_json(study.results / "merged.json") or {}
    if held and held.repository and held.main and held.main != known.get("main"):
        return set(read_ledger(held.repository, held.main))
    return set(known.get("merged", []))


def find_results(study: Study, rows: Iterable[Row], held: Held | None) -> dict[str, Result]:
    """Results in the store of units without a record, if they are what is asked for now."""
    missing = {row.unit for row in rows if row.state in ("waiting", "failed")}
    prepared = read_json(study.results / "prepared.json")
    if not (held and held.repository and missing and prepared):
        return {}
    ledger = read_ledger(held.repository, held.main) if held.main else {}
    found = {unit: result for unit, result in ledger.items() if unit in missing}
    announced = [commit for unit, commit in held.branches.items() if unit in missing]
    found |= {result.unit: result for result in read_results(held.repository, announced)}
    if not found:
        return {}
    units = {unit.name: unit for unit in read_units(study)}
    return {
        name: result
        for name, result in found.items()
        if name in units
        and result.fingerprint == unit_fingerprint(study, units[name], prepared["image"])
    }


# --- what is shown ----------------------------------------------------------


def exit_code(rows: Iterable[Row]) -> int:
    """0: all is done and merged; 1: units failed, and no job is at work; 2: there is work left."""
    states = {row.state for row in rows}
    if states & AT_WORK:
        return 2
    if states & TROUBLED:
        return 1
    return 2 if states & {"waiting", "done"} else 0


def count_states(rows: Iterable[Row]) -> dict[str, int]:
    """How many units are in each state."""
    counts = Counter(row.state for row in rows)
    order = [state for state in ORDER if counts[state]]
    return {state: counts[state] for state in [*order, *sorted(set(counts) - set(order))]}


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
            parts.append(work_table([row for row in rows if row.state == "running"], limit))
        parts.append(trouble_table([row for row in rows if row.state in TROUBLED], limit))
    return "\n\n".join(filter(None, parts))


def time_left(rows: Iterable[Row]) -> str:
    """When all may be done, if it goes on like this; nothing where that cannot be told."""
    rows = list(rows)
    took = [row.seconds for row in rows if row.seconds]
    running = sum(row.state == "running" for row in rows)
    left = sum(row.state in ("running", "queued", "waiting") for row in rows)
    if not (took and running):
        return ""
    minutes = round(statistics.median(took) * left / running / 60)
    hours, minutes = divmod(max(1, minutes), 60)
    return f"; about {f'{hours} h ' if hours else ''}{minutes} min left"


def work_table(rows: list[Row], limit: int | None) -> str:
    """Units that jobs are at, the longest first."""
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
