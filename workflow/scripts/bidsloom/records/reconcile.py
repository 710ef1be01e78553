"""Bring the files of `results/<study>/` in line with the study and the store.

They are notes of what the store holds.  Those of another configuration are
moved aside, missing ones are written again.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from enum import Enum

from ..base.files import read_tsv
from ..config import Study
from ..datasets.branches import BranchKind, Result, branch_name, list_results, read_ledger
from ..datasets.fetches import fetch_output
from ..datasets.output_datasets import is_connected, list_outputs, main_output
from ..datasets.stores import MAIN, REMOTE, list_remote_heads
from ..datasets.unit_results import read_unit_results
from ..units.completeness import expects_digest, is_accepted
from .fingerprints import preparation
from .job_record import JobRecord, read_record, read_superseded, write_record
from .merge_outcome import MergeOutcome, read_merge_outcome
from .open_study import OpenStudy
from .prepared import read_prepared


def drop_outdated_files(opened: OpenStudy) -> None:
    """Remove `prepared.json` and the table of units where they are not of this configuration."""
    study = opened.study
    prepared = read_prepared(study)
    asked = preparation(study, opened.units.commit, opened.image_id, opened.further)
    if prepared is None or prepared.made_from != asked:
        study.files.prepared.unlink(missing_ok=True)
    listed = [(row["unit"], row["tree"]) for row in read_tsv(study.files.subjects)]
    if listed != [(unit.name, unit.tree) for unit in opened.units.units]:
        study.files.subjects.unlink(missing_ok=True)


def drop_old_merge(opened: OpenStudy) -> None:
    """Remove the mark that all is merged where the last merge did not settle every unit.

    Then the merge is due, and ends with an error where it cannot settle them.
    """
    study = opened.study
    if not is_settled(study, read_merge_outcome(study), opened.names):
        study.files.all_merged.unlink(missing_ok=True)
        study.files.group_merged.unlink(missing_ok=True)


def is_settled(study: Study, outcome: MergeOutcome, units: Iterable[str]) -> bool:
    """True where a merge left none of some units for another merge."""
    settled = set(outcome.merged)
    if study.container.on_incomplete == "hold":
        settled |= {unit for unit in outcome.held if not is_accepted(study.selection, unit)}
    same = outcome.expects == expects_digest(study.container) or not outcome.held
    return same and settled.issuperset(units)


def read_waiting(study: Study) -> dict[str, str]:
    """Unit -> commit of the results in the store that wait because they are not complete.

    Raises `WorkflowFailure` where the store cannot be read.
    """
    folder = branch_name(study.container.name, "", BranchKind.INCOMPLETE)
    heads = list_remote_heads(main_output(study).store, f"refs/heads/{folder}*")
    return {branch.removeprefix(folder): commit for branch, commit in heads.items()}


class Move(Enum):
    """What becomes of a unit's record when a study is opened."""

    STAY = "stays as it is"
    SET_ASIDE = "is of a result that no longer holds"
    REMOVE = "is of a result that is to be computed again"
    BRING_BACK = "was set aside, and holds again"


def set_aside_records(opened: OpenStudy) -> dict[str, JobRecord]:
    """Move aside the records of results that no longer hold, and back those that hold again.

    Returns the records that stay as they are, by unit.

    Snakemake's own notes of a record's parameters would do, but they are lost
    with `.snakemake/`, and a restored record never had any.
    """
    study, files = opened.study, opened.study.files
    outcome = read_merge_outcome(study)
    waiting = read_waiting(study) if outcome.held else None
    old = {path.stem for path in files.superseded_records.glob("*.json")}
    kept: dict[str, JobRecord] = {}
    for name in opened.names:
        record = read_record(study, name)
        move = decide_move(
            study,
            record,
            read_superseded(study, name) if name in old else None,
            unit=name,
            fingerprint=opened.fingerprint(name),
            outcome=outcome,
            waiting=waiting,
        )
        if move is Move.SET_ASIDE:
            files.superseded_records.mkdir(exist_ok=True)
            files.record(name).replace(files.superseded(name))
        elif move is Move.REMOVE:
            files.record(name).unlink()
        elif move is Move.BRING_BACK:
            files.superseded(name).replace(files.record(name))
        elif record:
            kept[name] = record
    return kept


def decide_move(
    study: Study,
    record: JobRecord | None,
    old: JobRecord | None,
    *,
    unit: str,
    fingerprint: str,
    outcome: MergeOutcome,
    waiting: Mapping[str, str] | None = None,
) -> Move:
    """What becomes of a unit's record, and of the older one that was set aside.

    `fingerprint` is what the unit's result must have, `outcome` what the last
    merge did, `waiting` unit -> commit of the results that wait in the store
    because they are not complete (None: not looked at).
    """
    if record and record.fingerprint != fingerprint:
        return Move.SET_ASIDE
    # A unit may have an earlier result in main while its new one is held.
    merged = unit in outcome.merged_units and unit not in outcome.held
    if record:
        lost = unit in outcome.held and waiting is not None and unit not in waiting
        again = lost or is_computed_again(study, record, merged=merged)
        return Move.REMOVE if again else Move.STAY
    holds = old is not None and old.fingerprint == fingerprint
    if old and holds and not is_computed_again(study, old, merged=merged):
        return Move.BRING_BACK
    return Move.STAY


def restore_records(opened: OpenStudy, kept: Container[str] = ()) -> None:
    """Write the record of every unit whose result the store already has.

    The store is the truth: when `results/` is lost, nothing is computed again.
    `kept` are units that have their record.
    """
    study = opened.study
    asked = (name for name in opened.names if name not in kept)
    missing = [name for name in asked if not study.files.record(name).exists()]
    if not missing or not all(is_connected(target) for target in list_outputs(study)):
        return
    targets = list_outputs(study)
    for target in targets:
        fetch_output(target)
    # What was merged had its content; that of a branch may be lost.  A complete
    # result counts more than one that is not.
    again = study.container.on_incomplete == "retry"
    incomplete = [] if again else find_announced(study, BranchKind.INCOMPLETE)
    done = newest_results(
        incomplete=incomplete,
        merged=read_ledger(study.dataset, f"refs/remotes/{REMOTE}/{MAIN}").values(),
        announced=find_announced(study, BranchKind.JOB),
    )
    for name in missing:
        if result := done.get((name, opened.fingerprint(name))):
            record = JobRecord(
                unit=name,
                commit=result.commit,
                fingerprint=result.fingerprint,
                incomplete=result.reasons,
                input_commit=opened.units.commit,
                container_key=opened.image_id,
                restored=True,
            )
            write_record(study, record)


def is_computed_again(study: Study, record: JobRecord, *, merged: bool) -> bool:
    """True for an incomplete result that the study asks to compute again."""
    return (
        bool(record.incomplete)
        and study.container.on_incomplete == "retry"
        and not is_accepted(study.selection, record.unit)
        and not merged
    )


def newest_results(
    *, incomplete: Iterable[Result], merged: Iterable[Result], announced: Iterable[Result]
) -> dict[tuple[str, str], Result]:
    """Unit and fingerprint -> the result that counts; one that is complete goes first."""
    found = [*incomplete, *merged, *announced]
    return {(result.unit, result.fingerprint): result for result in found}


def find_announced(study: Study, kind: BranchKind) -> list[Result]:
    """The results on branches of a kind whose content is in the stores."""
    outputs = list_outputs(study)
    heads = {
        output.path: list_results(
            output.dataset, f"refs/remotes/{REMOTE}/", study.container.name, kind
        )
        for output in outputs
    }
    announced = read_unit_results(
        outputs,
        heads[""],
        repositories={output.path: output.dataset for output in outputs},
        heads={path: {r.commit for r in results} for path, results in heads.items()},
    )
    return [found.result for found in announced if not found.missing]


def find_done(opened: OpenStudy, kept: Mapping[str, JobRecord]) -> frozenset[str]:
    """Names of the units whose record has the fingerprint they must have now.

    `kept` are records that need not be read again.
    """
    records = {name: kept.get(name) or read_record(opened.study, name) for name in opened.names}
    return frozenset(
        name
        for name, record in records.items()
        if record and record.fingerprint == opened.fingerprint(name)
    )
