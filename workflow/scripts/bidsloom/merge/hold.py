"""Which results are merged, and which wait because they are not complete.

A result is looked at again where it was judged by another definition of
complete than the study's own: who corrects `container.expects` computes
nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..base.runners import call_git
from ..config import Study
from ..datasets.branches import Result
from ..datasets.output_datasets import list_outputs
from ..datasets.unit_results import UnitResult, list_written
from ..units.completeness import describe_lacks, expects_digest, is_accepted, judge
from ..units.subject_datasets import input_commit, list_unit_files
from ..units.unit import GROUP, Unit, folder_of, split_name, subject_of


@dataclass(frozen=True)
class Candidate:
    """A result that could be merged, why it is not complete, and whether that is accepted."""

    found: UnitResult
    reasons: tuple[str, ...] = ()
    accepted: bool = False


@dataclass(frozen=True)
class Held:
    """A result that waits on its branch, and why."""

    commit: str
    reasons: tuple[str, ...]


def choose(
    candidates: Iterable[Candidate],
    *,
    wanted: Mapping[str, str] = MappingProxyType({}),
    ledger: Mapping[str, Result] = MappingProxyType({}),
) -> tuple[dict[str, UnitResult], dict[str, Held]]:
    """Unit -> the result to be merged, and unit -> the result that waits; no unit is in both.

    A complete result goes before one that is not.  `wanted` is unit -> the
    fingerprint of its recorded result, `ledger` unit -> the result that main
    holds: where one of these has the wanted one, others are outdated.
    """
    merged: dict[str, Candidate] = {}
    held: dict[str, Held] = {}
    candidates = list(candidates)
    there = [*ledger.values(), *(c.found.result for c in candidates)]
    current = {r.unit for r in there if r.fingerprint == wanted.get(r.unit)}
    for candidate in candidates:
        result = candidate.found.result
        if result.unit in current and result.fingerprint != wanted[result.unit]:
            continue
        if not candidate.reasons:
            merged[result.unit] = candidate
        elif candidate.accepted:
            merged.setdefault(result.unit, candidate)
        else:
            held[result.unit] = Held(result.commit, candidate.reasons)
    held = {unit: result for unit, result in held.items() if unit not in merged}
    return {unit: candidate.found for unit, candidate in merged.items()}, held


def is_held(ledger: Mapping[str, Result], result: Result) -> bool:
    """True where main holds a result of the unit that was made from the same.

    A complete result replaces one that was accepted although it was not.
    """
    held = ledger.get(result.unit)
    if held is None or held.fingerprint != result.fingerprint:
        return False
    return not held.reasons or bool(result.reasons)


def list_candidates(
    study: Study, results: Iterable[UnitResult], *, accepted: Mapping[str, str]
) -> list[Candidate]:
    """The results with what they lack; `accepted` is unit -> the commit that somebody accepted."""
    results, container = list(results), study.container
    current = expects_digest(container)
    old = [found for found in results if found.result.expects != current]
    judged = {} if container.archive else judge_again(study, old)
    all_accepted = container.on_incomplete == "accept"
    return [
        Candidate(
            found,
            judged.get(found.result.commit, found.result.reasons),
            all_accepted
            or is_accepted(study.selection, found.result.unit)
            or accepted.get(found.result.unit) == found.result.commit,
        )
        for found in results
    ]


def judge_again(study: Study, results: Iterable[UnitResult]) -> dict[str, tuple[str, ...]]:
    """Commit -> why the result is not complete, by the names of its files."""
    found = {}
    inputs: dict[tuple[str, str], list[str]] = {}
    for each, written in list_written(list_outputs(study), results):
        result = each.result
        read: list[str] = []
        if result.unit != GROUP and study.container.expects:
            link = f"{result.commit}:{study.input_path}"
            commit = call_git(["rev-parse", link], cwd=study.dataset)
            place = commit, folder_of(result.unit)
            if place not in inputs:
                given = input_commit(study, commit)
                inputs[place] = list_unit_files(given, unit_of(result.unit))
            read = inputs[place]
        verdict = judge(study.container, unit_of(result.unit), written=written, read=read)
        found[result.commit] = describe_lacks(verdict, result.exit_code)
    return found


def unit_of(name: str) -> Unit:
    """A unit of which only the name is known."""
    session = None if name == GROUP else split_name(name)[1]
    subject = "" if name == GROUP else subject_of(name).removeprefix("sub-")
    return Unit(name, subject, session, tree="", inherited="", files=0, bytes=0)
