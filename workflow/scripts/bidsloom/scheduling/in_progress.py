"""Which units have a job now, running or in SLURM's queue.

On this machine a job is found by the folder that it keeps locked until it
ends, on a cluster by SLURM's queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..base.runners import node_name
from ..config import Study
from ..job.scratch import living_jobs
from ..records.running import read_running, running_batches
from .batches import list_missing
from .slurm import list_jobs


@dataclass(frozen=True)
class Work:
    """A unit that a job processes now or later; `shared` are all units of that job.

    `job` is SLURM's id, `process` the id of the process on this machine.
    """

    unit: str
    running: bool
    node: str
    since: str
    job: str = ""
    process: int | None = None
    shared: tuple[str, ...] = ()


def find_local(study: Study) -> list[Work]:
    """Units that jobs on this machine process now."""
    batches = {
        note.unit: name
        for name, note in running_batches(study)
        if note.unit and not note.scheduler_job_id
    }
    found = []
    for job in living_jobs(study):
        batch = batches.get(job.unit)
        shared = tuple(unit.name for unit in list_missing(study, batch)) if batch else ()
        since = datetime.fromtimestamp(job.since).isoformat(timespec="seconds")
        work = Work(job.unit, True, node_name(), since, process=job.process, shared=shared)
        found.append(work)
    return found


def find_queued(study: Study) -> list[Work]:
    """Units of jobs in SLURM's queue."""
    found = []
    for job in list_jobs(study):
        units = tuple(unit.name for unit in list_missing(study, job.task))
        if not units:
            found.append(Work(job.task, job.running, job.node, job.since, job=job.id))
            continue
        note = read_running(study, job.task)
        at = note.unit if note and note.scheduler_job_id == job.id else None
        for unit in units:
            running = job.running and unit == at
            found.append(Work(unit, running, job.node, job.since, job=job.id, shared=units))
    return found
