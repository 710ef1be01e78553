"""Bring the files of `results/<study>/` in line with the study and the store.

They are notes of what the store holds.  Those of another configuration are
moved aside, missing ones are written again.
"""

from __future__ import annotations

from ..base.files import read_tsv
from ..base.runners import call_git_success
from ..datasets.branches import list_job_branches, read_ledger
from ..datasets.clones import fetch_output
from ..datasets.output_datasets import OutputDataset, list_outputs
from ..datasets.stores import MAIN, REMOTE
from ..datasets.unit_results import read_unit_results
from .fingerprints import preparation
from .job_record import JobRecord, read_record, read_superseded, write_record
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
    heads = {}
    for target in targets:
        fetch_output(target)
        heads[target.path] = list_job_branches(
            target.dataset, f"refs/remotes/{REMOTE}/", study.container.name
        )
    announced = read_unit_results(
        targets,
        heads[""],
        repositories={target.path: target.dataset for target in targets},
        heads={path: {r.commit for r in results} for path, results in heads.items()},
    )
    done = read_ledger(study.dataset, f"refs/remotes/{REMOTE}/{MAIN}")
    # What was merged was complete; the content of a job branch may be lost.
    done |= {a.result.unit: a.result for a in announced if not a.missing}
    for name in missing:
        result = done.get(name)
        if result and result.fingerprint == opened.fingerprint(name):
            record = JobRecord(
                unit=name,
                commit=result.commit,
                fingerprint=result.fingerprint,
                input_commit=opened.units.commit,
                container_key=opened.image_id,
                restored=True,
            )
            write_record(study, record)


def is_connected(target: OutputDataset) -> bool:
    """True where the study's clone of a dataset knows its store."""
    dataset = target.dataset
    return dataset.exists() and call_git_success(["remote", "get-url", REMOTE], cwd=dataset)


def find_done(opened: OpenStudy) -> frozenset[str]:
    """Names of the units whose record has the fingerprint they must have now."""
    records = {name: read_record(opened.study, name) for name in opened.names}
    return frozenset(
        name
        for name, record in records.items()
        if record and record.fingerprint == opened.fingerprint(name)
    )
