"""Locks: who may change what, and what the dead left locked."""

from __future__ import annotations

import contextlib
import fcntl
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

from .config import Study
from .errors import CommandError, WorkflowFailure
from .records import write_text
from .runners import call_git, node_name

# git holds a lock file for milliseconds; one of this age belongs to nobody.
STALE_LOCK_SECONDS = 30.0


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
    with locked(study.results / ".clones.lock"):
        inputs = (study.input, *(further.clone for further in study.further_inputs))
        for clone in (study.dataset, *inputs):
            for lock in (clone / ".git").rglob("*.lock") if clone.exists() else ():
                lock.unlink(missing_ok=True)
        yield


def push_refs(args: list[str], *, cwd: Path) -> None:
    """`git push` that outlives what a killed push left behind."""
    outlive_locks(lambda: call_git(["push", "-q", *args], cwd=cwd))


def outlive_locks(act: Callable[[], object]) -> None:
    """Do something to a repository in spite of what a killed git left locked there.

    git holds the lock file of a ref for milliseconds; one that is older than
    `STALE_LOCK_SECONDS` belongs to nobody and is removed.
    Raises `CommandError` for any other failure at once.
    """
    while True:
        try:
            act()
            return
        except CommandError as e:
            found = re.search(r"Unable to create '([^']+\.lock)': File exists", e.stderr)
            if not found:
                raise
            wait_out(Path(found[1]))


def wait_out(lock: Path) -> None:
    """Wait until a lock file is gone, or remove it once it is stale."""
    with contextlib.suppress(FileNotFoundError):
        while time.time() - lock.stat().st_mtime < STALE_LOCK_SECONDS:
            time.sleep(1)
        lock.unlink()


def leave_lock_token(study: Study) -> str | None:
    """Lay a token beside the lock file, for `check_lock` on a node to compare."""
    if study.lock_file is None:
        return None
    token = uuid4().hex
    with locked(study.lock_file):
        write_text(lock_token_file(study), token)
    return token


def lock_token_file(study: Study) -> Path:
    """The file beside the lock file that tells one folder from its namesakes."""
    return study.lock_file.with_name(f".{study.lock_file.name}.{study.name}")


def check_lock(study: Study, token: str) -> dict:
    """Refuse a lock file that this node has for itself: it would lock nothing.

    Gives what was compared, and where.
    """
    node = node_name()
    try:
        found = lock_token_file(study).read_text()
    except OSError:
        found = None
    if found != token:
        raise WorkflowFailure(
            f"datalad.lock_file {study.lock_file} is not the same file on {node} as where the "
            "study was prepared: a lock there keeps no other node out.",
            hint="name a file on the file system that all nodes share, "
            "or leave lock_file empty: pushes of different subjects need no lock.",
        )
    with locked(study.lock_file):
        return {"lock_file": str(study.lock_file), "node": node}
