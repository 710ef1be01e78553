"""The unit that a batch's job processes now: `results/<study>/batches/<batch>.running.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..base.files import read_json, write_json
from ..config import Study
from ..config.request import NOTHING_KNOWN, Request
from .json_fields import known_fields


@dataclass(frozen=True)
class Running:
    """What a batch's job processes: no unit where it came to its end by itself.

    `scheduler_job_id` is SLURM's id, None on this machine; `requested` is what
    the unit was granted.
    """

    scheduler_job_id: str | None = None
    unit: str | None = None
    requested: Request = NOTHING_KNOWN


def read_running(study: Study, batch: str) -> Running | None:
    """What a batch's job noted last; None where no job has begun."""
    value = read_json(study.files.batch_running(batch))
    if not isinstance(value, Mapping):
        return None
    known = known_fields(Running, value)
    return Running(**{**known, "requested": Request.from_json(known.get("requested"))})


def write_running(study: Study, batch: str, running: Running) -> None:
    """Note which unit a batch's job processes, and what that was granted."""
    told = {
        "scheduler_job_id": running.scheduler_job_id,
        "unit": running.unit,
        "requested": running.requested.to_json(),
    }
    write_json(study.files.batch_running(batch), told)


def running_batches(study: Study) -> Iterator[tuple[str, Running]]:
    """Each batch that a job has begun, with what was noted last."""
    for path in study.files.batches.glob(study.files.batch_running("*").name):
        batch = path.name.removesuffix(study.files.batch_running("").name)
        if running := read_running(study, batch):
            yield batch, running
