"""Process the units of a batch, one after the other.

Each in a process forked from this one: what a job pays once (its start, the
imports) is paid once, while a unit's log, environment, memory and end are its
own.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import sys
import time
from datetime import UTC, datetime

from ..base.entry_point import entry_point
from ..base.errors import FailureClass, WorkflowFailure
from ..base.files import read_json, write_json
from ..base.runners import describe_scheduler_job, import_containers_run, node_name
from ..config import Study
from ..job.open_job import open_job
from ..job.process import process_unit
from ..records.attempts import add_attempt, read_attempts
from .batches import (
    BatchUnit,
    clear_running,
    list_left,
    list_missing,
    read_batch,
    write_running,
)


def process_batch(study: Study, name: str, *, requested: dict) -> dict[str, str]:
    """Process what is left of a batch; gives unit -> commit when all of them are done.

    A unit that fails holds up no other.  Raises `WorkflowFailure` in the end
    where one has no result.
    """
    if not read_batch(study, name):
        raise WorkflowFailure(
            f"Batch {name} is no more: a later snakemake dealt out the units anew.",
            hint="nothing is to be done; that one sees to them.",
        )
    start = time.monotonic()
    scheduler_job = describe_scheduler_job()
    # Here, and not in each of the processes.
    import_containers_run()
    for unit in list_left(study, name):
        granted = dict(requested)
        if requested["runtime"]:
            # What its neighbours took is not there for this unit.
            minutes = requested["runtime"] - (time.monotonic() - start) / 60
            granted["runtime"] = max(0, math.floor(minutes))
        job = os.environ.get("SLURM_JOB_ID")
        write_running(study, name, job=job, unit=unit.name, requested=granted)
        logging.info("%s", unit.name)
        process_apart(study, unit, requested=granted, introduction=scheduler_job)
    clear_running(study, name)
    if missing := list_missing(study, name):
        raise batch_failure(study, name, missing)
    jobs = study.results / "jobs"
    return {u.name: read_json(jobs / f"{u.name}.json")["commit"] for u in read_batch(study, name)}


def process_apart(study: Study, unit: BatchUnit, **facts: object) -> None:
    """Process a unit in a process of its own; its record or its attempt tells the outcome."""
    before = len(read_attempts(study, unit.name))
    process = multiprocessing.get_context("fork").Process(
        target=process_one, args=(study, unit.name), kwargs=facts
    )
    process.start()
    try:
        process.join()
    except BaseException:
        process.terminate()
        process.join()
        raise
    attempts = read_attempts(study, unit.name)[before:]
    if process.exitcode and not attempts:
        note_killed(study, unit.name, process.exitcode, facts["requested"])
    if attempts and attempts[-1]["failure_class"] == FailureClass.CANCELLED.value:
        sys.exit(143)


def process_one(study: Study, unit: str, *, requested: dict, introduction: str) -> None:
    """One unit, with its own log and record."""
    log_file = study.results / "logs" / f"{unit}.log"
    with entry_point(log_file):
        job = open_job(study, unit, log_file=log_file, requested=requested)
        if introduction:
            logging.info(introduction)
        write_json(study.results / "jobs" / f"{unit}.json", process_unit(job))


def note_killed(study: Study, unit: str, exit_code: int, requested: dict) -> None:
    """Write the attempt of a unit whose process could not do so itself."""
    # SIGKILL to this one process and not to the job: as a rule the kernel's
    # way to end what takes too much memory.
    killed = exit_code == -9
    why = FailureClass.OUT_OF_MEMORY if killed else FailureClass.NODE_FAILURE
    attempt = {
        "unit": unit,
        "host": node_name(),
        "scheduler_job_id": os.environ.get("SLURM_JOB_ID"),
        "attempt": len(read_attempts(study, unit)) + 1,
        "requested": requested,
        "end": datetime.now(UTC).isoformat(timespec="seconds"),
        "failure_class": why.value,
        "message": f"The process of {unit} ended with {exit_code} and without a word.",
        "hint": "see its log; run snakemake again once the cause is gone.",
    }
    add_attempt(study.results / "attempts", unit, attempt)


def batch_failure(study: Study, name: str, missing: list[BatchUnit]) -> WorkflowFailure:
    """The failed units of a batch, a line each."""
    total = len(read_batch(study, name))
    lines = [f"{len(missing)} of the {total} units of batch {name} have no result:"]
    for unit in missing:
        (last,) = read_attempts(study, unit.name)[-1:] or [{}]
        said = last.get("message", f"{unit.name} was not tried").splitlines()[0]
        why = last.get("failure_class", "waiting")
        lines.append(f"  {why}: {said.removesuffix(' Its last lines:')}")
    return WorkflowFailure(
        "\n".join(lines),
        hint=f"their logs are in {study.results / 'logs'}; the other units go on.",
    )
