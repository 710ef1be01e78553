"""Several units in one job of Snakemake's.

With `hpc.units_per_job` a job processes them one after the other, for apps that
take less time than the start of a job.  Thousands of units are submitted in
arrays of jobs, each with a unit of its own: Snakemake, which takes memory and
time for each job that it knows, then knows the arrays alone.

When Snakemake starts, the units that are due are put into batches.  Each batch
is written to a small file:

    results/<study>/batches/<batch>.units.json    the units, in order
    results/<study>/batches/<batch>.running.json  the unit that is processed now
    results/<study>/batches/<batch>.json          written when all of them are done
    results/<study>/batches/<batch>_array.json    the same, where they have jobs of their own
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from ..base.batching import in_batches
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
    """A unit of a batch; `attempts` had failed before this run of Snakemake.

    The fingerprint is empty where the unit reads a result that is still to be
    made: then any record is of this run, since earlier ones were set aside.
    """

    name: str
    fingerprint: str
    attempts: int = 0


Batch = tuple[BatchUnit, ...]


def compose(due: Sequence[BatchUnit], size: int) -> list[Batch]:
    """Batches of at most `size` units, in order."""
    return [tuple(batch) for batch in in_batches(due, size)]


def batch_name(batch: Batch) -> str:
    """A name that starts with the first unit, and that no batch of another study has."""
    mark = digest([(unit.name, unit.fingerprint) for unit in batch])
    return f"{batch[0].name}_x{len(batch)}_{mark[:8]}"


def replace_batches(opened: OpenStudy, size: int, *, busy: bool) -> list[Batch]:
    """Put the due units into batches of at most `size`, and write each one's file.

    The files of earlier batches are removed.

    `busy` says that another run of this study may be under way: then they stay.
    """
    study = opened.study
    if not busy:
        # The units' own records say which of them are done.
        shutil.rmtree(study.files.batches, ignore_errors=True)
    due = [
        BatchUnit(
            name,
            "" if opened.is_open(name) else opened.fingerprint(name),
            len(read_attempts(study, name)),
        )
        for name in opened.names
        if name not in opened.done and name not in opened.waits
    ]
    batches = compose(due, size)
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
    holds = record and unit.fingerprint in ("", record.fingerprint)
    return record if holds else None


def list_missing(study: Study, name: str) -> list[BatchUnit]:
    """Units of a batch without a result, in order."""
    return [unit for unit in read_batch(study, name) if read_result(study, unit) is None]


def list_commits(study: Study, name: str) -> dict[str, str]:
    """Unit -> the commit of its result, of the units of a batch that have one."""
    results = {unit.name: read_result(study, unit) for unit in read_batch(study, name)}
    return {unit: record.commit for unit, record in results.items() if record}


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
