"""Several units in one job, one after the other (`hpc.units_per_job`).

For apps that take less time than the start of a job.  When Snakemake starts,
the units that are due are put into batches.  Each batch is written to a small
file, which its job reads:

    results/<study>/batches/<batch>.units.json    the units, in order
    results/<study>/batches/<batch>.running.json  the unit that is processed now
    results/<study>/batches/<batch>.json          written when all of them are done
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from ..base.files import digest, read_json, write_json
from ..config import Study
from ..records.attempts import Attempt, read_attempts
from ..records.cancellations import read_cancellation
from ..records.job_record import JobRecord, read_record
from ..records.open_study import OpenStudy
from ..units.unit import UNIT
from .retry import is_worth_retrying

# The first unit, how many there are, and a digest of what they are made from.
BATCH = rf"{UNIT}_x\d+_[0-9a-f]{{8}}"


@dataclass(frozen=True)
class BatchUnit:
    """A unit of a batch; `attempts` had failed before this run of Snakemake."""

    name: str
    fingerprint: str
    attempts: int = 0


Batch = tuple[BatchUnit, ...]


def compose(due: Sequence[BatchUnit], size: int) -> list[Batch]:
    """Batches of at most `size` units, in order."""
    return [tuple(due[n : n + size]) for n in range(0, len(due), size)]


def batch_name(batch: Batch) -> str:
    """A name that starts with the first unit, and that no batch of another study has."""
    mark = digest([(unit.name, unit.fingerprint) for unit in batch])
    return f"{batch[0].name}_x{len(batch)}_{mark[:8]}"


def replace_batches(opened: OpenStudy, *, busy: bool) -> list[Batch]:
    """Put the due units into batches, and write each batch's file in place of the old ones.

    `busy` says that another run of this study may be under way: then its files
    stay.
    """
    study = opened.study
    if not busy:
        # The units' own records say which of them are done.
        shutil.rmtree(study.files.batches, ignore_errors=True)
    due = [
        BatchUnit(name, opened.fingerprint(name), len(read_attempts(study, name)))
        for name in opened.names
        if name not in opened.done
    ]
    batches = compose(due, study.resources.units_per_job)
    for batch in batches:
        # One unit alone is a job like any other.
        if len(batch) > 1:
            name = batch_name(batch)
            write_json(study.files.batch_units(name), [dataclasses.asdict(unit) for unit in batch])
            if list_missing(study, name):
                study.files.batch_done(name).unlink(missing_ok=True)
    return batches


def read_batch(study: Study, name: str) -> Batch:
    """The units of a batch; none where a later run removed its file."""
    return tuple(BatchUnit(**unit) for unit in read_json(study.files.batch_units(name)) or [])


def read_result(study: Study, unit: BatchUnit) -> JobRecord | None:
    """The unit's record, where its result is the one that is asked for."""
    record = read_record(study, unit.name)
    return record if record and record.fingerprint == unit.fingerprint else None


def list_missing(study: Study, name: str) -> list[BatchUnit]:
    """Units of a batch without a result, in order."""
    return [unit for unit in read_batch(study, name) if read_result(study, unit) is None]


def list_left(study: Study, name: str) -> list[BatchUnit]:
    """Units that the batch's next job tries: without a result, and worth it.

    Those that failed before come last: a unit that kills the whole job must
    run after the others.
    """
    tried = {unit: read_attempts(study, unit.name) for unit in list_missing(study, name)}
    left = [
        unit
        for unit, attempts in tried.items()
        if is_worth_another(unit, attempts) and not read_cancellation(study, unit.name)
    ]
    return sorted(left, key=lambda unit: len(tried[unit]))


def is_worth_another(unit: BatchUnit, attempts: Sequence[Attempt]) -> bool:
    """Whether a unit is tried (again) in this run of Snakemake."""
    this_run = len(attempts) - unit.attempts
    return this_run <= 0 or is_worth_retrying(attempts, this_run=this_run)
