"""Weave job branches into main: look, decide, do.

Before anything is published, the store is checked for every object that a
branch introduces.  What is complete and free of conflicts is merged.  The rest
stays on its branch and is named; the next merge tries it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from ..base.errors import FailureClass, WorkflowFailure
from ..base.patience import patient
from ..base.space import space_needed
from ..config import Study
from ..datasets.branches import (
    RESULT_BRANCHES,
    Branch,
    BranchKind,
    Entry,
    Result,
    list_heads,
    list_results,
    read_erased,
)
from ..datasets.fetches import fetch_output
from ..datasets.locks import exclusive, locked, wait_for_stores
from ..datasets.output_datasets import list_outputs, owner_of
from ..datasets.repositories import written_folders
from ..datasets.stores import REMOTE
from ..datasets.unit_results import UnitResult, read_unit_results
from ..records.attempts import Attempt, add_attempt
from ..records.job_record import list_records
from ..records.merge_outcome import MergeOutcome, write_merge_outcome
from ..units.completeness import expects_digest
from ..units.listing import find_withdrawn, known_units, read_units
from ..units.output_folders import result_folders
from ..units.unit import GROUP, subject_of
from .about_results import know_results
from .decisions import Found, find_lost, ledger_after, list_done, list_fresh, list_void
from .describe import describe, list_descriptions
from .descriptions import About
from .hold import Held, choose, list_candidates
from .main_contents import Contents, read_contents
from .mains import Place, find_places
from .produced import find_early, find_mains, keep_joined, kept_joined
from .publish import publish
from .remove_branches import remove_branches
from .weave import Weave, decide
from .write_main import Change, write_main

log = logging.getLogger(__name__)

# Why a result that a job pushed after its subject was erased is not merged.
ERASED = "the subject was erased; erase it again to remove this result, too"


def merge_branches(study: Study) -> MergeOutcome:
    """Merge every finished job branch into main, verified and published.

    Writes and returns what was done.  A unit whose content never arrived loses
    its record, so that the next run computes it again.
    """
    with space_needed("The merge", written_folders(study)), patient(study.wait_minutes):
        return merge_all(study)


def merge_all(study: Study) -> MergeOutcome:
    """As `merge_branches`; a full disk ends it with the error of whatever could not write."""
    with locked(study.lock_file), exclusive(study):
        wait_for_stores(study)
        # A job pushes its branch before it writes its record: each of these is announced.
        recorded = list_records(study)
        found = fetch_stores(study)
        wanted = {record.unit: record.fingerprint for record in recorded}
        whole, held = choose_results(study, found, wanted=wanted)
        lost = find_lost(recorded, found, {*whole, *held}, asked=asked_units(study))
        mains = find_mains(study)
        early = find_early(study, [found.result for found in whole.values()], mains)
        whole = {unit: found for unit, found in whole.items() if unit not in early}
        removed = [unit for unit in found.gone if unit in found.ledger]
        targets = [place.target for place in found.places]
        units = found.ledger.keys() | whole.keys()
        contents = read_all_contents(
            found.places,
            list(whole.values()),
            removed=removed,
            apart=list_descriptions(targets, result_folders(study, units)),
        )
        weave = decide(
            list(contents.new.values()),
            held=contents.held,
            shared=shared_patterns(study),
            removed=removed,
        )
        weave.left |= lost | early | dict.fromkeys(found.erased, ERASED)
        # Before they are removed from main: a result without a record is found in the store.
        delete_records(study, removed)
        ledger = ledger_after(found, [b.result for b in weave.merged], removed)
        commits = write_all(
            study,
            found.places,
            weave,
            whole,
            inputs=mains,
            about=know_results(study),
            described=list_descriptions(targets, result_folders(study, ledger)),
        )
        # Also where nothing is new: a merge that was killed may have left a branch.
        publish(found.places, commits, [whole[b.result.unit] for b in weave.merged])
        remove_done_branches(study, found, ledger, wanted=wanted, commits=commits)
    note_lost(study, lost)
    outcome = MergeOutcome(
        main=commits[""],
        merged_now=tuple(sorted(b.result.unit for b in weave.merged)),
        merged=tuple(sorted(ledger)),
        removed_now=tuple(removed),
        unmerged=weave.left,
        held={unit: result.reasons for unit, result in held.items()},
        expects=expects_digest(study.container),
    )
    write_merge_outcome(study, outcome)
    return outcome


def fetch_stores(study: Study) -> Found:
    """Fetch from the stores, and return what they hold; new results are checked for content."""
    targets = list_outputs(study)
    for target in targets:
        fetch_output(target)
    places = find_places(targets)
    ledger = places[-1].ledger
    prefix, app = f"refs/remotes/{REMOTE}/", study.container.name
    on_branches = {
        kind: {t.path: list_results(t.dataset, prefix, app, kind) for t in targets}
        for kind in RESULT_BRANCHES
    }
    own = [result for kind in RESULT_BRANCHES for result in on_branches[kind][""]]
    units = {*ledger, *(result.unit for result in own)}
    gone = find_withdrawn(units, known_units(study)) if study.remove_withdrawn else []
    subjects = read_erased(targets[-1].dataset, places[-1].start)
    erased = sorted(unit for unit in units if subject_of(unit) in subjects)
    gone = [unit for unit in gone if unit not in erased]
    fresh = list_fresh(
        {kind: on_branches[kind][""] for kind in RESULT_BRANCHES}, ledger, {*gone, *erased}
    )
    announced = read_unit_results(
        targets,
        fresh,
        repositories={t.path: t.dataset for t in targets},
        heads={
            t.path: {r.commit for kind in RESULT_BRANCHES for r in on_branches[kind][t.path]}
            for t in targets
        },
    )
    accepted = list_heads(targets[-1].dataset, prefix, app, BranchKind.ACCEPTED)
    return Found(places, on_branches, announced, accepted, gone, erased)


def asked_units(study: Study) -> set[str]:
    """The units that the study processes, and the group."""
    return {GROUP, *(unit.name for unit in read_units(study))}


def choose_results(
    study: Study, found: Found, *, wanted: Mapping[str, str]
) -> tuple[dict[str, UnitResult], dict[str, Held]]:
    """Of the results whose content is there: those to be merged, and those that wait.

    `wanted` is unit -> the fingerprint of its recorded result.
    """
    there = [a for a in found.announced if not a.missing]
    candidates = list_candidates(study, there, accepted=found.accepted)
    return choose(candidates, wanted=wanted, ledger=found.ledger)


def shared_patterns(study: Study) -> list[str]:
    """Patterns, relative to the dataset, of files that every unit may write."""
    folders = list(study.container.outputs)
    if study.by_session and study.container.session_folders:
        folders += [f"{out}/ses-*" for out in study.container.outputs]
    return [f"{folder}/{pattern}" for folder in folders for pattern in study.shared_files]


def read_all_contents(
    places: Sequence[Place],
    announced: Sequence[UnitResult],
    *,
    removed: Iterable[str],
    apart: Mapping[str, Sequence[str]],
) -> Contents:
    """What new results write to all datasets together, and what the mains hold of it.

    `apart` are the files of each dataset that the merge writes itself.
    """
    whole = Contents({a.result.unit: Branch(a.result, {}, frozenset()) for a in announced}, {})
    replaced = [*(a.result.unit for a in announced), *removed]
    links = [place.path for place in places if place.path]
    for place in places:
        found = read_contents(
            place.target.dataset,
            place.start,
            [a.part(place.path) for a in announced if place.path in a.parts],
            place.ledger,
            replaced=replaced,
            apart=[*apart[place.path], *([] if place.path else links)],
        )
        for parts, known in ((found.new, whole.new), (found.held, whole.held)):
            for unit, part in parts.items():
                joined = known.setdefault(unit, Branch(part.result, {}, frozenset()))
                outside = place.target.outside
                joined.files.update({outside(path): e for path, e in part.files.items()})
    return whole


def write_all(
    study: Study,
    places: Sequence[Place],
    weave: Weave,
    announced: Mapping[str, UnitResult],
    *,
    inputs: Mapping[str, str],
    about: About | None,
    described: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    """Write the commits of each dataset's main; returns path -> commit.

    `inputs` are the commits to be registered of other studies' results,
    `described` are the descriptions of each dataset, which say what is known
    `about` the results.
    """
    links: dict[str, str] = {}
    targets = [place.target for place in places]
    for place in places:

        def own(written: Mapping[str, Entry | None], place: Place = place) -> dict:
            return {
                place.target.inside(path): entry
                for path, entry in written.items()
                if owner_of(path, targets) is place.target
            }

        removals = [Change(unit, None, own(files)) for unit, files in weave.removed.items()]
        merges = []
        for branch, written in zip(weave.merged, weave.written, strict=True):
            part = announced[branch.result.unit].parts.get(place.path)
            merges.append(Change(branch.result.unit, part, own(written)))
        commit = write_main(
            place,
            removals=[change for change in removals if change.unit in place.ledger],
            merges=[change for change in merges if change.commit or change.files],
            links={} if place.path else {**links, **inputs},
        )
        if about is not None:
            before = {unit: result.commit for unit, result in place.ledger.items()}
            merged = {change.unit: change.commit for change in merges if change.commit}
            after = {u: c for u, c in {**before, **merged}.items() if u not in weave.removed}
            paths = described[place.path]
            commit = describe(place.target, commit, about, paths=paths, before=before, after=after)
        links[place.path] = keep_joined(place, study.container.name, commit)
    return links


def remove_done_branches(
    study: Study,
    found: Found,
    ledger: Mapping[str, Result],
    *,
    wanted: Mapping[str, str],
    commits: Mapping[str, str],
) -> None:
    """Delete the branches of results that main holds now, and of removed units."""
    app = study.container.name
    for place in found.places:
        for kind in found.on_branches:
            if done := list_done(found, ledger, kind=kind, path=place.path, wanted=wanted):
                remove_branches(place.target, app, done, kind)
        if read := kept_joined(place, app, commits[place.path]):
            remove_branches(place.target, app, read, BranchKind.JOINED)
    if void := list_void(found, ledger):
        remove_branches(found.places[-1].target, app, void, BranchKind.ACCEPTED)


def delete_records(study: Study, removed: Iterable[str]) -> None:
    """Delete the records of units that are taken out of main."""
    for unit in removed:
        log.info("%s is no longer in the input; its files are removed from main", unit)
        for record in (study.files.record(unit), study.files.superseded(unit)):
            record.unlink(missing_ok=True)


def note_lost(study: Study, lost: Mapping[str, str]) -> None:
    """Delete the records of units whose content never arrived, and note why: they are due again."""
    for unit, why in lost.items():
        study.files.record(unit).unlink(missing_ok=True)
        failure = WorkflowFailure(
            f"The result of {unit} is not all in the output store: {why}.",
            hint="run snakemake again; the unit is computed again.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        )
        add_attempt(study, Attempt.of(unit, failure))
