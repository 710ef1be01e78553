"""Locks: the study's lock file, and one process at a time in the study's own clones."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..config import Study


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
    process that died; it is removed.

    Raises `WorkflowFailure` where the lock file cannot be opened.
    """
    study.results.mkdir(parents=True, exist_ok=True)
    with locked(study.files.clones_lock):
        inputs = (study.input, *(further.clone for further in study.further_inputs))
        for clone in (study.dataset, *inputs):
            for lock in (clone / ".git").rglob("*.lock") if clone.exists() else ():
                lock.unlink(missing_ok=True)
        yield
