"""The state of every unit while a study runs.

Most of it is in the notes of `results/<study>/`.  Where they differ from the
output store, which is the truth about results, or from the jobs that exist
now, those count.  Reads only, and needs no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.runners import call_git_lines
from ..base.text import a_few
from ..config import Study
from ..datasets.branches import RESULT_BRANCHES, Result, branch_name, read_ledger, read_results
from ..datasets.output_datasets import main_output
from ..datasets.stores import MAIN, is_git_directory, last_line
from ..merge.hold import is_held
from ..records.cancellations import list_cancelled, read_cancellation
from ..records.fingerprints import Fingerprints
from ..records.merge_outcome import read_merge_outcome
from ..records.prepared import read_prepared
from ..records.unit_state import UnitState
from ..scheduling.in_progress import Work, find_local, find_queued
from ..units.listing import read_units
from .unit_states import REASONS, Row, collect_rows, to_accept

# States of units of which the notes know no result.
UNFINISHED = (UnitState.WAITING, UnitState.FAILED)
# States of units whose result waits on a branch.
KEPT_APART = (UnitState.INCOMPLETE, UnitState.HELD)


@dataclass(frozen=True)
class StoreContents:
    """What the output store holds: unit -> commit of its job branch, and the commit of main.

    `incomplete` is unit -> commit of a result that is not complete.

    `repository` is where these commits can be read, None for a store that is
    not mounted: of that only the names are known.
    """

    branches: Mapping[str, str]
    main: str | None
    repository: Path | None
    incomplete: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sources:
    """What was read at one time: the jobs that exist, the notes as rows, and the store."""

    work: tuple[Work, ...]
    rows: Sequence[Row]
    held: StoreContents | None


def current_rows(study: Study, *, warn: Callable[[WorkflowFailure], None]) -> list[Row]:
    """A row for every unit, as things stand; `warn` gets what could not be read."""
    return settle_rows(study, read_sources(study, warn=warn))


def read_sources(
    study: Study,
    *,
    warn: Callable[[WorkflowFailure], None],
    collect: Callable[[Study], Sequence[Row]] = collect_rows,
    read: Callable[[Study], StoreContents | None] | None = None,
    ask: Callable[[Study], Sequence[Work]] = find_queued,
) -> Sources:
    """Read jobs, notes and store.

    `collect`, `read` and `ask` read notes, store and queue, and may remember
    what has not changed, or what was asked for a moment ago.
    """
    # In this order: a job that ends in between has left its record, and a
    # record's branch was there before it.
    work, held = find_local(study), None
    try:
        work += ask(study)
    except WorkflowFailure as e:
        warn(e)
    rows = collect(study)
    try:
        held = (read or read_store)(study)
    except WorkflowFailure as e:
        warn(e)
    return Sources(tuple(work), rows, held)


def settle_rows(study: Study, sources: Sources) -> list[Row]:
    """A row for every unit, by what its notes, the store and the jobs say together."""
    rows, held, work = sources.rows, sources.held, sources.work
    merged = read_merged(study, held)
    if held:
        held = without_merged(held, merged)
    results = find_results(study, rows, held)
    best = {w.unit: w for w in sorted(work, key=lambda w: (w.running, w.since))}
    rows = [
        settle_row(row, held=held, merged=merged, result=results.get(row.unit), work=best)
        for row in rows
    ]
    cancelled = list_cancelled(study)
    return [
        replace(row, reason=note.as_failure(row.unit).message)
        if row.state is UnitState.WAITING
        and row.unit in cancelled
        and (note := read_cancellation(study, row.unit))
        else row
        for row in rows
    ]


def settle_row(
    row: Row,
    *,
    held: StoreContents | None,
    merged: set[str],
    result: Result | None,
    work: Mapping[str, Work],
) -> Row:
    """A unit's row by what its notes, the store and the jobs say together."""
    if row.state in (UnitState.MERGED, UnitState.DONE) and held:
        if row.unit in held.branches:
            return replace(row, state=UnitState.DONE, next="snakemake merge")
        if row.unit in merged:
            return replace(row, state=UnitState.MERGED, next="")
        if held.repository is None:
            return row
        return lost_row(row)
    if row.state in KEPT_APART and held and held.repository:
        return row if row.unit in {*held.incomplete, *held.branches} else lost_row(row)
    if row.state not in UNFINISHED:
        return row
    if row.unit in work:
        at = work[row.unit]
        state = UnitState.RUNNING if at.running else UnitState.QUEUED
        return replace(row, state=state, node=at.node, since=at.since, job=at.job, next="")
    if result and held:
        state = UnitState.DONE if row.unit in held.branches else UnitState.MERGED
        found = Row(row.unit, state, attempts=row.attempts, commit=result.commit)
        if result.commit == held.incomplete.get(row.unit):
            return replace(
                found,
                state=UnitState.INCOMPLETE,
                reason=a_few(result.reasons, REASONS),
                next=to_accept(row.unit),
                reasons=result.reasons,
            )
        return found
    return row


def lost_row(row: Row) -> Row:
    """A unit whose result is recorded, but not in the store."""
    reason = "its result is recorded, but not in the output store"
    todo = f"remove jobs/{row.unit}.json of the study's results, then run snakemake"
    return replace(row, state=UnitState.LOST, reason=reason, next=todo)


def read_store(study: Study) -> StoreContents | None:
    """What the output store holds; None where it is not there yet."""
    store = main_output(study).store
    prefixes = {
        kind: f"refs/heads/{branch_name(study.container.name, '', kind)}"
        for kind in RESULT_BRANCHES
    }
    main = f"refs/heads/{MAIN}"
    try:
        if store.repository is None:
            told = call_git_lines(
                ["ls-remote", store.git_url, *(f"{prefix}*" for prefix in prefixes.values()), main],
                cwd=study.results,
            )
            heads = {ref: commit for commit, ref in (line.split("\t") for line in told)}
        elif is_git_directory(store.repository):
            told = call_git_lines(
                ["for-each-ref", "--format=%(refname) %(objectname)", *prefixes.values(), main],
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
    job, incomplete = (
        {
            ref.removeprefix(prefixes[kind]): commit
            for ref, commit in heads.items()
            if ref.startswith(prefixes[kind])
        }
        for kind in RESULT_BRANCHES
    )
    return StoreContents(job, heads.get(main), store.repository, incomplete)


def read_merged(study: Study, held: StoreContents | None) -> set[str]:
    """The units whose results main holds, as the last merge said where it is still that main."""
    known = read_merge_outcome(study)
    if held and held.repository and held.main and held.main != known.main:
        return set(read_ledger(held.repository, held.main))
    return set(known.merged)


def without_merged(held: StoreContents, merged: set[str]) -> StoreContents:
    """The store without job branches whose results main holds; the next merge removes them.

    A job that slept while another run merged its unit announces it again.
    """
    both = held.branches.keys() & merged
    if not (both and held.repository and held.main):
        return held
    ledger = read_ledger(held.repository, held.main)
    results = read_results(held.repository, [held.branches[unit] for unit in sorted(both)])
    useless = {result.unit for result in results if is_held(ledger, result)}
    branches = {unit: tip for unit, tip in held.branches.items() if unit not in useless}
    return replace(held, branches=branches)


def find_results(
    study: Study, rows: Iterable[Row], held: StoreContents | None
) -> dict[str, Result]:
    """Results in the store of units without a record, if they are what is asked for now."""
    missing = {row.unit for row in rows if row.state in UNFINISHED}
    prepared = read_prepared(study)
    if not (held and held.repository and missing and prepared):
        return {}
    ledger = read_ledger(held.repository, held.main) if held.main else {}
    found = {unit: result for unit, result in ledger.items() if unit in missing}
    branches = [*held.incomplete.items(), *held.branches.items()]
    announced = [commit for unit, commit in branches if unit in missing]
    found |= {result.unit: result for result in read_results(held.repository, announced)}
    if not found:
        return {}
    units = {unit.name: unit for unit in read_units(study)}
    fingerprints = Fingerprints(study, prepared.image)
    return {
        name: result
        for name, result in found.items()
        if name in units and result.fingerprint == fingerprints.of(units[name])
    }
