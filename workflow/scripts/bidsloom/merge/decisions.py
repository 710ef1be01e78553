"""What a merge decides of the results that it found.  Pure: nothing is read or written here.

`weave` decides which files main has afterwards, `hold` which results wait
because they are not complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..datasets.branches import RESULT_BRANCHES, BranchKind, Result
from ..datasets.unit_results import UnitResult
from ..records.job_record import JobRecord
from .hold import is_held
from .mains import Place


@dataclass(frozen=True)
class Found:
    """The stores as a merge finds them.

    `on_branches` are the results on branches, by kind and dataset; `announced`
    are those that main does not hold yet; `accepted` is unit -> the commit that
    somebody accepted; `gone` are units that were withdrawn from the input,
    where their results are to be removed; `erased` are units of erased subjects
    that have a branch again.
    """

    places: Sequence[Place]
    on_branches: Mapping[BranchKind, Mapping[str, list[Result]]]
    announced: Sequence[UnitResult]
    accepted: Mapping[str, str]
    gone: Sequence[str]
    erased: Sequence[str] = ()

    @cached_property
    def commits(self) -> frozenset[str]:
        """The commits of all branches of the output dataset."""
        return frozenset(r.commit for by_path in self.on_branches.values() for r in by_path[""])

    @property
    def ledger(self) -> Mapping[str, Result]:
        """Unit -> the result that main holds of it."""
        return self.places[-1].ledger


def list_fresh(
    on_branches: Mapping[BranchKind, Iterable[Result]],
    ledger: Mapping[str, Result],
    gone: Collection[str],
) -> list[Result]:
    """The results on branches of the output dataset that main does not hold, and is to."""
    own = [result for kind in RESULT_BRANCHES for result in on_branches[kind]]
    return [r for r in own if r.unit not in gone and not is_held(ledger, r)]


def find_lost(
    recorded: Iterable[JobRecord],
    found: Found,
    there: Collection[str],
    *,
    asked: Collection[str],
) -> dict[str, str]:
    """Unit -> what is lost of its result: content, or the branch that announced it.

    `there` are units of which another result is there, `asked` those that the
    study processes: of any other unit, nothing is computed again.
    """
    lost = {r.unit: "its branch is gone" for r in recorded if not is_known(found, r)}
    lost |= {a.result.unit: a.missing for a in found.announced if a.missing}
    return {unit: why for unit, why in lost.items() if unit not in there and unit in asked}


def is_known(found: Found, record: JobRecord) -> bool:
    """True where the stores hold the result of a record, on a branch or in main."""
    held = found.ledger.get(record.unit)
    if held and held.fingerprint == record.fingerprint:
        return True
    return record.unit in found.gone or record.commit in found.commits


def ledger_after(
    found: Found, merged: Iterable[Result], removed: Collection[str]
) -> dict[str, Result]:
    """Unit -> the result that main holds after the merge."""
    ledger = {**found.ledger, **{result.unit: result for result in merged}}
    return {unit: result for unit, result in ledger.items() if unit not in removed}


def list_done(
    found: Found,
    ledger: Mapping[str, Result],
    *,
    kind: BranchKind,
    path: str,
    wanted: Mapping[str, str],
) -> dict[str, str]:
    """Unit -> commit of the branches of a kind, in a dataset, that main makes superfluous.

    `ledger` is what main holds after the merge, `wanted` unit -> the
    fingerprint of its recorded result.  Where main holds the wanted one, those
    of others are outdated.
    """
    current = {unit for unit, r in ledger.items() if r.fingerprint == wanted.get(unit)}
    return {
        r.unit: r.commit
        for r in found.on_branches[kind][path]
        if is_held(ledger, r)
        or r.unit in found.gone
        or (r.unit in current and r.fingerprint != wanted[r.unit])
    }


def list_void(found: Found, ledger: Mapping[str, Result]) -> dict[str, str]:
    """Unit -> commit of acceptances that name no waiting result any more."""
    waiting = {a.result.commit for a in found.announced} - {r.commit for r in ledger.values()}
    return {unit: commit for unit, commit in found.accepted.items() if commit not in waiting}
