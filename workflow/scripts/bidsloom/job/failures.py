"""Why a job ended without a result: a failure with a class, and the last lines of its log."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import call_git_records
from ..base.space import LITTLE, free_space, says_full
from ..containers.runtimes import scratch_folder
from ..datasets.stores import last_line
from ..records.attempts import read_attempts
from ..records.evidence import SECONDS, keep_evidence
from .unit_job import Job

log = logging.getLogger(__name__)

# How many of the app's last lines a record keeps.
LOG_LINES = 20
# How long a job that was ended from outside looks for evidence: it may soon be killed.
HURRY_SECONDS = 5.0


def as_failure(job: Job, error: BaseException) -> WorkflowFailure:
    """Any end of a job as a failure with a class."""
    if isinstance(error, WorkflowFailure):
        return error
    if isinstance(error, OSError) and says_full(error):
        return no_space(job)
    if isinstance(error, (KeyboardInterrupt, SystemExit)) or was_ended(error):
        return WorkflowFailure(
            f"{job.unit.name} was cancelled.",
            hint="run snakemake again; it continues where it stopped.",
            failure_class=FailureClass.CANCELLED,
        )
    if isinstance(error, CommandError):
        return WorkflowFailure(
            f"{job.unit.name} failed: {last_line(str(error))}",
            hint="see the log; run snakemake again once the cause is gone.",
        )
    log.exception("this should not have happened")
    return WorkflowFailure(
        f"{job.unit.name} failed unexpectedly: {type(error).__name__}: {error}",
        hint="please report it, with the log.",
    )


def was_ended(error: BaseException) -> bool:
    """True for a program that was ended by a signal to the whole job.

    The program may end before the job itself receives the signal.
    """
    ends = (signal.SIGTERM, signal.SIGINT)
    codes = {code for end in ends for code in (-end, 128 + end)}
    return isinstance(error, CommandError) and error.exit_code in codes


def is_full(job: Job, stderr: str) -> bool:
    """True where a program failed because the scratch disk is full, whatever its message."""
    return says_full(stderr) or free_space(job.study.work_dir) < LITTLE


def no_space(job: Job, *, pushing: bool = False) -> WorkflowFailure:
    """A failure for a full disk; `pushing` says that the stores were written to, too."""
    stores = [t.store.repository for t in job.targets if t.store.repository] if pushing else []
    folder = min([job.study.work_dir, *stores], key=free_space)
    mine = folder == job.study.work_dir
    return WorkflowFailure(
        f"{job.unit.name} ran out of disk space, most likely in {folder}.",
        hint="free some space" + (", or set common.work_dir to a larger disk." if mine else "."),
        failure_class=FailureClass.NO_SPACE,
    )


def log_size(job: Job) -> int:
    """Bytes of the job's log so far."""
    return job.log_file.stat().st_size if job.log_file and job.log_file.exists() else 0


def log_tail(job: Job, *, after: int = 0) -> list[str]:
    """The last lines of the job's log, at most `LOG_LINES`, after an offset in bytes."""
    if not job.log_file or not job.log_file.exists():
        return []
    with job.log_file.open("rb") as f:
        size = os.fstat(f.fileno()).st_size
        f.seek(max(after, size - 64 * 1024))
        return f.read().decode(errors="replace").splitlines()[-LOG_LINES:]


def keep_what_it_left(job: Job, clone: Path, error: BaseException) -> None:
    """Keep what may show why the app failed; nothing that happens here hides the failure."""
    unit = job.unit
    try:
        keep_evidence(
            job.study,
            unit,
            len(read_attempts(job.study, unit.name)) + 1,
            clone=clone,
            work=scratch_folder(clone) / "tmp",
            known=committed_files(job, clone) if unit.is_group else (),
            seconds=SECONDS if isinstance(error, WorkflowFailure) else HURRY_SECONDS,
        )
    # Also a signal: the job ends in any case, and says why.
    except BaseException:
        log.warning("what the attempt left cannot be kept", exc_info=True)


def committed_files(job: Job, clone: Path) -> set[str]:
    """The files of the output folders that the job's clone had before the app ran."""
    return {
        target.outside(path)
        for target in job.targets
        for path in call_git_records(
            ["ls-tree", "-r", "-z", "--name-only", "HEAD"], cwd=clone / target.path
        )
    }
