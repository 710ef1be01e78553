"""Process the units of a batch, one after the other.

Each in a process forked from this one: what a job pays once (its start, the
imports, git-annex' look at the file system) is paid once, while a unit's log,
environment, memory and end are its own.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import sys
import time
from dataclasses import replace
from multiprocessing.connection import Connection

from ..base.datalad_run import import_containers_run
from ..base.entry_point import entry_point
from ..base.errors import FailureClass, WorkflowFailure
from ..base.runners import (
    describe_scheduler_job,
    node_name,
    scheduler_job_id,
)
from ..config import Study
from ..config.request import Request
from ..datasets.thin_clones import findings_below
from ..job.open_job import open_job
from ..job.process import process_unit
from ..records.attempts import Attempt, add_attempt, read_attempts
from ..records.running import Running, write_running
from ..records.unit_state import UnitState
from .batches import BatchUnit, list_commits, list_left, list_missing, read_batch


def process_batch(
    study: Study, name: str, *, requested: Request, slurm_log: str = ""
) -> dict[str, str]:
    """Process what is left of a batch; returns unit -> commit when all of them are done.

    A unit that fails holds up no other.  Raises `WorkflowFailure` in the end
    where one has no result.
    """
    if not read_batch(study, name):
        raise WorkflowFailure(
            f"Batch {name} is no more: a later snakemake dealt out the units anew.",
            hint="nothing is to be done; that one sees to them.",
        )
    start = time.monotonic()
    scheduler_job, slurm_job = describe_scheduler_job(slurm_log), scheduler_job_id()
    # Here, and not in each of the processes.
    import_containers_run()
    for unit in list_left(study, name):
        granted = requested
        if requested.minutes:
            # The time that the units before it took is not left for this one.
            minutes = requested.minutes - (time.monotonic() - start) / 60
            granted = replace(requested, minutes=max(0, math.floor(minutes)))
        write_running(study, name, Running(slurm_job, unit.name, granted))
        logging.info("%s", unit.name)
        process_apart(study, unit, requested=granted, introduction=scheduler_job)
    write_running(study, name, Running(slurm_job))
    if missing := list_missing(study, name):
        raise summarize_batch(study, name, missing)
    return list_commits(study, name)


def process_apart(study: Study, unit: BatchUnit, *, requested: Request, introduction: str) -> None:
    """Process a unit in a process of its own; its record or its attempt tells the outcome."""
    before = len(read_attempts(study, unit.name))
    context = multiprocessing.get_context("fork")
    told, tell = context.Pipe(duplex=False)
    with told, tell:
        process = context.Process(
            target=process_one, args=(study, unit.name, requested, introduction, tell)
        )
        process.start()
        try:
            process.join()
        except BaseException:
            process.terminate()
            process.join()
            raise
        if told.poll():
            findings_below(study.work_dir).settings = told.recv()
    attempts = read_attempts(study, unit.name)[before:]
    if process.exitcode and not attempts:
        note_killed(study, unit.name, process.exitcode, requested)
    if attempts and attempts[-1].failure_class is FailureClass.CANCELLED:
        sys.exit(143)


def process_one(
    study: Study, unit: str, requested: Request, introduction: str, tell: Connection
) -> None:
    """One unit, with its own log and record; tells what git-annex found out meanwhile."""
    log_file = study.files.log(unit)
    with entry_point(log_file):
        job = open_job(study, unit, log_file=log_file, requested=requested)
        if introduction:
            logging.info(introduction)
        try:
            process_unit(job)
        finally:
            tell.send(findings_below(study.work_dir).settings)


def note_killed(study: Study, unit: str, exit_code: int, requested: Request) -> None:
    """Write the attempt of a unit whose process could not do so itself."""
    # SIGKILL to this one process and not to the job: as a rule the kernel's
    # way to end what takes too much memory.
    killed = exit_code == -9
    why = FailureClass.OUT_OF_MEMORY if killed else FailureClass.NODE_FAILURE
    failure = WorkflowFailure(
        f"The process of {unit} ended with {exit_code} and without a message.",
        hint="see its log; run snakemake again once the cause is gone.",
        failure_class=why,
    )
    attempt = Attempt.of(
        unit,
        failure,
        host=node_name(),
        scheduler_job_id=scheduler_job_id(),
        attempt=len(read_attempts(study, unit)) + 1,
        requested=requested,
    )
    add_attempt(study, attempt)


def summarize_batch(study: Study, name: str, missing: list[BatchUnit]) -> WorkflowFailure:
    """The failed units of a batch, a line each."""
    total = len(read_batch(study, name))
    lines = [f"{len(missing)} of the {total} units of batch {name} have no result:"]
    for unit in missing:
        attempts = read_attempts(study, unit.name)
        if attempts:
            lines.append(f"  {attempts[-1].failure_class}: {attempts[-1].first_line}")
        else:
            lines.append(f"  {UnitState.WAITING}: {unit.name} was not tried")
    return WorkflowFailure(
        "\n".join(lines),
        hint=f"their logs are in {study.files.logs}; the other units go on.",
    )
