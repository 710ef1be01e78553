"""Several units in one job, one after the other (`hpc.units_per_job`).

For apps that take less than the start of a job.  When Snakemake starts, what
is due is dealt out to batches; each is kept in a small file that the batch's
job reads, since that job knows neither the other units nor what was due:

    results/<study>/batches/<batch>.units.json    the units, in order
    results/<study>/batches/<batch>.running.json  the unit at work, for the watch
    results/<study>/batches/<batch>.json          all of them are done
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.files import digest, read_json, write_json
from ..config import Study
from ..records.attempts import read_attempts
from ..records.cancellations import who_cancelled
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
    """A name that tells the first unit, and that another study's batch does not have."""
    mark = digest([(unit.name, unit.fingerprint) for unit in batch])
    return f"{batch[0].name}_x{len(batch)}_{mark[:8]}"


def lay_out_batches(opened: OpenStudy, *, busy: bool) -> list[Batch]:
    """Deal out the due units, and leave each batch's file for its job.

    `busy` says that another run of this study may be under way, whose files
    are then left.
    """
    study = opened.study
    if not busy:
        # What a finished batch says is said by its units' records too.
        shutil.rmtree(study.batches, ignore_errors=True)
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
            write_json(units_file(study, name), [dataclasses.asdict(unit) for unit in batch])
            if list_missing(study, name):
                (study.batches / f"{name}.json").unlink(missing_ok=True)
    return batches


def units_file(study: Study, name: str) -> Path:
    """Where a batch's units stand."""
    return study.batches / f"{name}.units.json"


def read_batch(study: Study, name: str) -> Batch:
    """The units of a batch; none where its file was tidied away by a later run."""
    return tuple(BatchUnit(**unit) for unit in read_json(units_file(study, name)) or [])


def read_result(study: Study, unit: BatchUnit) -> dict | None:
    """The unit's record, where it tells of the result that is asked for."""
    record = read_json(study.results / "jobs" / f"{unit.name}.json")
    return record if record and record["fingerprint"] == unit.fingerprint else None


def list_missing(study: Study, name: str) -> list[BatchUnit]:
    """Units of a batch without a result, in order."""
    return [unit for unit in read_batch(study, name) if read_result(study, unit) is None]


def list_left(study: Study, name: str) -> list[BatchUnit]:
    """Units that the batch's next job tries: without a result, and worth it.

    Those that failed before come last: one that takes its whole allocation
    with it shall not do so before its neighbours' turn.
    """
    tried = {unit: read_attempts(study, unit.name) for unit in list_missing(study, name)}
    left = [
        unit
        for unit, attempts in tried.items()
        if is_worth_another(unit, attempts) and not who_cancelled(study, unit.name)
    ]
    return sorted(left, key=lambda unit: len(tried[unit]))


def is_worth_another(unit: BatchUnit, attempts: list[dict]) -> bool:
    """Whether a unit is tried (again) in this run of Snakemake."""
    this_run = len(attempts) - unit.attempts
    return this_run <= 0 or is_worth_retrying(attempts, this_run=this_run)


def write_running(study: Study, name: str, *, job: str | None, unit: str, requested: dict) -> None:
    """Note which unit a batch's job is at, and what that was granted."""
    note = {"scheduler_job_id": job, "unit": unit, "requested": requested}
    write_json(running_file(study, name), note)


def clear_running(study: Study, name: str) -> None:
    """Note that a batch's job came to its end by itself."""
    note = {"scheduler_job_id": read_running(study, name).get("scheduler_job_id"), "unit": None}
    write_json(running_file(study, name), note)


def read_running(study: Study, name: str) -> dict:
    """What a batch's job noted last."""
    return read_json(running_file(study, name)) or {}


def running_batches(study: Study) -> Iterator[tuple[str, dict]]:
    """Each batch that a job has begun, with what was noted last."""
    for path in study.batches.glob("*.running.json"):
        name = path.name.removesuffix(".running.json")
        if note := read_running(study, name):
            yield name, note


def running_file(study: Study, name: str) -> Path:
    """Where a batch's job notes what it is at."""
    return study.batches / f"{name}.running.json"
