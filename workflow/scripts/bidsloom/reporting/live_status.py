"""What becomes of every unit while a study runs.

Notes in `results/<study>/` tell most of it.  Over them stand the output store,
which is the truth about results, and the jobs that are there now.
Reads only, and needs no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.files import read_json
from ..base.runners import call_git_lines
from ..config import Study
from ..datasets.branches import Result, branch_name, read_ledger, read_results
from ..datasets.output_datasets import main_output
from ..datasets.stores import MAIN, is_git_directory, last_line
from ..records.cancellations import describe_cancel, list_cancelled
from ..records.fingerprints import unit_fingerprint
from ..scheduling.in_progress import Work, find_local, find_queued
from ..units.listing import read_units
from .unit_states import Row, collect_rows


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
    store = main_output(study).store
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
