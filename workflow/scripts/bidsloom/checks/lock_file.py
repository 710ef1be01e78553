"""Checks of the lock file: usable here, shared by the nodes, and truly locking between them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import write_text
from ..base.paths import SCRIPTS
from ..base.runners import call, node_name
from ..config import Study
from ..datasets.locks import locked

# Tells another node's view of a lock.
LOCK_SCRIPT = SCRIPTS / "check_lock.py"


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
