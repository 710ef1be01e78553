"""Locks: who may change what, and what the dead left locked."""

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
    """Hold a file locked; gives the seconds waited.  Without a path, no lock.

    `flock` is passed on to the server by NFS since Linux 2.6.12, and is
    released by the kernel when its holder dies.
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
    """Be the only one who changes the study's own clones.

    Whoever held this before is gone: lock files that a killed git left in the
    clones belong to nobody.
    """
    study.results.mkdir(parents=True, exist_ok=True)
    with locked(study.files.clones_lock):
        inputs = (study.input, *(further.clone for further in study.further_inputs))
        for clone in (study.dataset, *inputs):
            for lock in (clone / ".git").rglob("*.lock") if clone.exists() else ():
                lock.unlink(missing_ok=True)
        yield
