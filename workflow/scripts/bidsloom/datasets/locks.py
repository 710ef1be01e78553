"""Locks: the study's lock file, and one process at a time in the study's own clones."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..config import Study
from .pushes import STALE_LOCK_SECONDS, wait_out
from .repositories import lock_files, study_repositories


@contextlib.contextmanager
def locked(path: Path | None) -> Iterator[float]:
    """Hold a file locked, and return the seconds waited.  Without a path, no lock.

    NFS passes `flock` on to the server since Linux 2.6.12; the kernel releases
    it when the process that holds it dies.

    Raises `WorkflowFailure` where the file cannot be opened.
    """
    if path is None:
        yield 0.0
        return
    start = time.monotonic()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(path, "a+")  # noqa: SIM115  (closed below)
    except OSError as e:
        raise WorkflowFailure(
            f"The lock file {path} cannot be opened: {e.strerror}.",
            hint="set datalad.lock_file to a path that every job can write to.",
        ) from e
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield time.monotonic() - start


@contextlib.contextmanager
def exclusive(study: Study) -> Iterator[None]:
    """Let only this process change the study's own clones.

    Once the lock is ours, any `*.lock` file left in these clones is from a
    process that died; it is removed.  Jobs write to the stores all the time:
    there only those are removed that are too old to be a living process'.

    Raises `WorkflowFailure` where the lock file cannot be opened.
    """
    study.results.mkdir(parents=True, exist_ok=True)
    with locked(study.files.clones_lock):
        for repository in study_repositories(study):
            for lock in lock_files(repository.git_dir):
                if not repository.shared or is_stale(lock):
                    with contextlib.suppress(OSError):
                        lock.unlink()
        yield


def is_stale(lock: Path) -> bool:
    """True for a lock file of git that is too old to be a living process'."""
    try:
        return time.time() - lock.stat().st_mtime > STALE_LOCK_SECONDS
    except OSError:
        return False


def wait_for_stores(study: Study) -> None:
    """Wait until every lock file in the stores is gone, or stale and removed.

    Not every command of git and git-annex says which lock file it met.
    """
    for repository in study_repositories(study):
        if repository.shared:
            for lock in lock_files(repository.git_dir):
                wait_out(lock)
