"""Locks: who may change what, and what the dead left locked."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

from .config import Study
from .errors import CommandError, FailureClass, WorkflowFailure
from .records import write_text
from .runners import call, call_git, node_name

# git holds a lock file for milliseconds; one of this age belongs to nobody.
STALE_LOCK_SECONDS = 30.0

# Tells another node's view of a lock.
LOCK_SCRIPT = Path(__file__).parents[1] / "check_lock.py"


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


def check_lock_file(path: Path) -> None:
    """Refuse a lock file that is not there and cannot be made, or cannot be written to."""
    place = next(place for place in (path, *path.parents) if place.exists())
    if not os.access(place, os.W_OK):
        raise WorkflowFailure(
            f"The lock file {path} cannot be opened: {place} is not yours to write to.",
            hint="set datalad.lock_file to a path that every job can write to.",
        )


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


def check_lock(study: Study, token: str) -> None:
    """Refuse a lock file that this node has for itself: it would lock nothing."""
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
        pass


def prove_lock(study: Study) -> str:
    """See that another node of this SLURM job does not get a lock that this one holds."""
    here = node_name()
    listed = call(["squeue", "-h", "-j", os.environ["SLURM_JOB_ID"], "-o", "%N"], cwd=Path("/"))
    names = call(["scontrol", "show", "hostnames", listed.decode().strip()], cwd=Path("/"))
    other = next(name for name in names.decode().split() if name != here)
    with held_probe(study.lock_file) as probe:
        step = ["srun", "--nodes=1", "--ntasks=1", f"--nodelist={other}"]
        try:
            answer = call([*step, sys.executable, str(LOCK_SCRIPT), str(probe)], cwd=Path("/"))
        except CommandError as e:
            raise WorkflowFailure(
                f"{other} could not be asked for the lock of {here}: {e.stderr.strip()}",
                hint="try again; where it stays so, SLURM's log has more.",
                failure_class=FailureClass.NODE_FAILURE,
            ) from e
    found = answer.decode().strip()
    if found != "held":
        meanings = {"free": f"{other} got the lock that {here} holds", "absent": "it is not there"}
        raise WorkflowFailure(
            f"datalad.lock_file {study.lock_file} locks nothing between {here} and {other}: "
            f"{meanings.get(found, found)}.",
            hint="name a file on the file system that all nodes share, mounted there with locks "
            "(Lustre: -o flock), or leave lock_file empty: pushes of different subjects need none.",
        )
    return f"{other} did not get the lock that {here} held"


@contextlib.contextmanager
def held_probe(lock_file: Path) -> Iterator[Path]:
    """A file beside the lock file, held locked; nobody waits for it."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    probe = lock_file.with_name(f".{lock_file.name}.probe-{uuid4().hex[:12]}")
    try:
        with locked(probe):
            yield probe
    finally:
        probe.unlink(missing_ok=True)


def state_of_lock(path: Path) -> str:
    """Whether a lock is held by somebody else: `held`, `free`, or `absent` without the file."""
    try:
        with path.open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return "absent"
    except BlockingIOError:
        return "held"
    return "free"
