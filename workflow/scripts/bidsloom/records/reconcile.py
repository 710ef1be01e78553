"""Bring the files of `results/<study>/` in line with the study and the store.

They are notes of what the store holds.  Those of another configuration are
moved aside, missing ones are written again.
"""

from __future__ import annotations

from ..base.files import read_tsv
from ..config import Study
from ..datasets.branches import BranchKind, Result, list_results, read_ledger
from ..datasets.clones import fetch_output
from ..datasets.output_datasets import is_connected, list_outputs
from ..datasets.stores import MAIN, REMOTE
from ..datasets.unit_results import read_unit_results
from ..units.completeness import expects_digest, is_accepted
from .fingerprints import preparation
from .job_record import JobRecord, read_record, read_superseded, write_record
from .merge_outcome import read_merge_outcome
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
    study, outcome = opened.study, read_merge_outcome(opened.study)
    settled = set(outcome.merged)
    if study.container.on_incomplete == "hold":
        settled |= set(outcome.held)
    same = outcome.expects == expects_digest(study.container) or not outcome.held
    if not (same and settled.issuperset(opened.names)):
        study.files.all_merged.unlink(missing_ok=True)
        study.files.group_merged.unlink(missing_ok=True)


def set_aside_records(opened: OpenStudy) -> None:
    """Move aside the records of results that no longer hold, and back those that hold again.

    Snakemake's own notes of a record's parameters would do, but they are lost
    with `.snakemake/`, and a restored record never had any.
    """
    study, files = opened.study, opened.study.files
    for name in opened.names:
        record = read_record(study, name)
        if record and record.fingerprint != opened.fingerprint(name):
            files.superseded(name).parent.mkdir(exist_ok=True)
            files.record(name).replace(files.superseded(name))
            record = None
        if record and is_computed_again(study, record):
            files.record(name).unlink()
            continue
        old = read_superseded(study, name) if record is None else None
        if old and old.fingerprint == opened.fingerprint(name):
            files.superseded(name).replace(files.record(name))


def restore_records(opened: OpenStudy) -> None:
    """Write the record of every unit whose result the store already has.

    The store is the truth: when `results/` is lost, nothing is computed again.
    """
    study = opened.study
    missing = [name for name in opened.names if not study.files.record(name).exists()]
    if not missing or not all(is_connected(target) for target in list_outputs(study)):
        return
    targets = list_outputs(study)
    for target in targets:
        fetch_output(target)
    # What was merged had its content; that of a branch may be lost.  A complete
    # result counts more than one that is not.
    again = study.container.on_incomplete == "retry"
    incomplete = [] if again else find_announced(study, BranchKind.INCOMPLETE)
    found = [
        *incomplete,
        *read_ledger(study.dataset, f"refs/remotes/{REMOTE}/{MAIN}").values(),
        *find_announced(study, BranchKind.JOB),
    ]
    done = {(result.unit, result.fingerprint): result for result in found}
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


def is_computed_again(study: Study, record: JobRecord) -> bool:
    """True for an incomplete result that the study asks to compute again."""
    return (
        bool(record.incomplete)
        and study.container.on_incomplete == "retry"
        and not is_accepted(study.selection, record.unit)
        and record.unit not in read_merge_outcome(study).merged
    )


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


def find_done(opened: OpenStudy) -> frozenset[str]:
    """Names of the units whose record has the fingerprint they must have now."""
    records = {name: read_record(opened.study, name) for name in opened.names}
    return frozenset(
        name
        for name, record in records.items()
        if record and record.fingerprint == opened.fingerprint(name)
    )
