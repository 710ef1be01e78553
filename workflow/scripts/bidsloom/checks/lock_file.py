"""Checks of the lock file: it can be used here, nodes share it, and it locks between them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import write_text
from ..base.paths import SCRIPTS
from ..base.runners import PYTHON, call, node_name
from ..config import Study
from ..datasets.locks import locked

# Run on another node, it prints how that node sees a lock.
LOCK_SCRIPT = SCRIPTS / "check_lock.py"


def check_lock_file(path: Path) -> None:
    """Refuse a lock file that cannot be written to, or is missing and cannot be made."""
    existing = next(p for p in (path, *path.parents) if p.exists())
    if not os.access(existing, os.W_OK):
        raise WorkflowFailure(
            f"The lock file {path} cannot be opened: you may not write to {existing}.",
            hint="set datalad.lock_file to a path that every job can write to.",
        )


def leave_lock_token(study: Study) -> str | None:
    """Write a token file beside the lock file, and return the token for `check_lock`.

    Without a lock file it does nothing and returns None.  Raises
    `WorkflowFailure` where the lock file cannot be opened.
    """
    if study.lock_file is None:
        return None
    file = lock_token_file(study.lock_file, study.name)
    with locked(study.lock_file):
        # That of another member of the group stays valid.
        known = file.read_text() if file.exists() else ""
        token = known or uuid4().hex
        if not known:
            write_text(file, token)
    return token


def lock_token_file(lock_file: Path, study: str) -> Path:
    """A token file that shows whether two nodes see the same folder."""
    return lock_file.with_name(f".{lock_file.name}.{study}")


def check_lock(study: Study, token: str) -> None:
    """Refuse a lock file that other nodes do not share: it would lock nothing."""
    if study.lock_file is None:
        return
    node = node_name()
    try:
        found: str | None = lock_token_file(study.lock_file, study.name).read_text()
    except OSError:
        found = None
    if found != token:
        raise WorkflowFailure(
            f"datalad.lock_file {study.lock_file} on {node} is not the same file as where the "
            "study was prepared, so a lock on it does not stop other nodes.",
            hint="name a file on the file system that all nodes share, "
            "or leave lock_file empty: pushes of different subjects need no lock.",
        )
    with locked(study.lock_file):
        pass


def prove_lock(lock_file: Path) -> str:
    """Try to get, on another node of this SLURM job, a lock that this node holds.

    Raises `WorkflowFailure` where the other node gets it, or cannot try.
    """
    here = node_name()
    listed = call(["squeue", "-h", "-j", os.environ["SLURM_JOB_ID"], "-o", "%N"], cwd=Path("/"))
    names = call(["scontrol", "show", "hostnames", listed.decode().strip()], cwd=Path("/"))
    other = next(name for name in names.decode().split() if name != here)
    with held_probe(lock_file) as probe:
        step = ["srun", "--nodes=1", "--ntasks=1", f"--nodelist={other}"]
        try:
            answer = call([*step, PYTHON, str(LOCK_SCRIPT), str(probe)], cwd=Path("/"))
        except CommandError as e:
            raise WorkflowFailure(
                f"{other} could not try the lock that {here} holds: {e.stderr.strip()}",
                hint="try again; if it fails again, see SLURM's log.",
                failure_class=FailureClass.NODE_FAILURE,
            ) from e
    found = answer.decode().strip()
    if found != "held":
        meanings = {
            "free": f"{other} got the lock that {here} holds",
            "absent": f"{other} does not see it",
        }
        raise WorkflowFailure(
            f"datalad.lock_file {lock_file} does not lock between {here} and {other}: "
            f"{meanings.get(found, found)}.",
            hint="name a file on the file system that all nodes share, mounted there with locks "
            "(Lustre: -o flock), or leave lock_file empty: pushes of different subjects need none.",
        )
    return f"{other} did not get the lock that {here} held"


@contextlib.contextmanager
def held_probe(lock_file: Path) -> Iterator[Path]:
    """A locked file beside the lock file; no job uses it."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    probe = lock_file.with_name(f".{lock_file.name}.probe-{uuid4().hex[:12]}")
    try:
        with locked(probe):
            yield probe
    finally:
        probe.unlink(missing_ok=True)


def state_of_lock(path: Path) -> str:
    """The state of a lock: `held` by another process, `free`, or `absent` without the file."""
    try:
        with path.open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return "absent"
    except BlockingIOError:
        return "held"
    return "free"
