"""A job's own folder in the scratch space, and what dead jobs left there.

Other users and other studies may use the same scratch space, and a job may die
at any moment.  A job's folder is therefore private (0700), has a name that
nobody can guess, and is locked for as long as the job lives.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import FailureClass, WorkflowFailure
from ..base.files import digest, read_json, remove_tree, write_json
from ..base.runners import end_processes_in, node_name
from ..config import Study
from .find_result import find_stored

log = logging.getLogger(__name__)

# How long a job waits for its unit's folder while somebody else holds it.
PATIENCE_SECONDS = 2.0
# What the names of new folders start with, and how long at most they have such a name.
UNNAMED = ".bidsloom-"
UNNAMED_SECONDS = 600.0
# Marks a folder that is kept for its owner to look into.
KEPT = "kept"
# Holds what was computed in the folder, once it is complete.
STATE = "computed.json"


@dataclass
class JobFolder:
    """The folder of one job; `lock` is the open lock file, held as long as the job lives."""

    path: Path
    lock: int

    @property
    def clone(self) -> Path:
        """The job's clone of the study dataset."""
        return self.path / "dataset"

    def state(self) -> dict | None:
        """What was computed here and not yet pushed, or None."""
        return read_json(self.path / STATE)

    def write_state(self, state: dict) -> None:
        """Record that the result is complete, and only its push is missing."""
        write_json(self.path / STATE, state)

    def close(self, *, keep: bool) -> None:
        """Release the folder, and remove it unless it is to be kept."""
        if keep:
            (self.path / KEPT).touch()
        else:
            try:
                remove_tree(self.path)
            except OSError as e:
                # The result is pushed; a later job of this study sweeps it up.
                log.warning("%s cannot be removed now: %s", self.path, e)
        os.close(self.lock)


def folder_prefix(study: Study) -> str:
    """What the names of this study's folders start with.

    Two studies of one name, in two folders, must not remove each other's.
    """
    return f"bidsloom-{study.name}-{digest(str(study.results))[:8]}-"


def open_folder(study: Study, unit: str) -> JobFolder:
    """A new folder for a job."""
    try:
        # Under a name that no sweep looks for until it is locked: a folder
        # without a lock counts as a dead job's.
        new = Path(tempfile.mkdtemp(prefix=UNNAMED, dir=study.work_dir))
        lock = lock_folder(new)
        path = new.with_name(f"{folder_prefix(study)}{unit}-{new.name.rpartition('-')[2]}")
        new.rename(path)
        if lock is None:
            raise BlockingIOError(errno.EWOULDBLOCK, "somebody else locked a new folder")
    except OSError as e:
        full = e.errno == errno.ENOSPC
        raise WorkflowFailure(
            f"common.work_dir {study.work_dir} cannot be used for {unit}: {e.strerror}.",
            hint="it must exist on the node, be writable and have space.",
            failure_class=FailureClass.NO_SPACE if full else FailureClass.BAD_CONFIG,
        ) from e
    return JobFolder(path, lock)


def lock_folder(path: Path, *, patience: float = 0) -> int | None:
    """Lock a folder; None where somebody else holds it for more than `patience` seconds."""
    handle = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= end:
                os.close(handle)
                return None
            time.sleep(0.05)
    # So that others can see who holds it; a full disk is no reason to give up the lock.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{node_name()} {os.getpid()}".encode(), 0)
    return handle


@dataclass(frozen=True)
class Holder:
    """A living job of this machine, and its unit."""

    unit: str
    process: int
    since: float


def living_jobs(study: Study) -> Iterator[Holder]:
    """The study's jobs that hold a folder in the scratch space, on this machine."""
    for path in left_folders(study):
        lock = path / "lock"
        with contextlib.suppress(OSError, ValueError), lock.open() as handle:
            try:
                # Shared and for a moment: nobody waits for it.
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                node, process = handle.read().split()
                if node == node_name():
                    yield Holder(unit_of_folder(study, path), int(process), lock.stat().st_mtime)


def sweep(study: Study, unit: str, *, fingerprint: str, base: str) -> JobFolder | None:
    """Remove what dead jobs of this study left; returns this unit's unpushed result, if any.

    Finished results of other units stay until the store has them: their own
    next attempts push them.
    """
    found, stored = None, find_left_results(study)
    remove_unnamed(study)
    for path in left_folders(study):
        mine = unit_of_folder(study, path) == unit
        with contextlib.suppress(OSError):
            # Another job that sweeps at the same time holds it for a moment.
            if (lock := lock_folder(path, patience=PATIENCE_SECONDS if mine else 0)) is None:
                continue
            folder = JobFolder(path, lock)
            state = folder.state()
            wanted = {"fingerprint": fingerprint, "base": base}
            if mine and found is None and state == wanted:
                found = folder
            elif (mine and state is not None) or is_useless(folder, stored):
                remove_left(folder)
            else:
                os.close(lock)
    return found


def sweep_stored(study: Study) -> None:
    """Remove what dead jobs of this study left of results that the store has."""
    stored = find_left_results(study)
    for path in left_folders(study) if stored else ():
        with contextlib.suppress(OSError):
            if (lock := lock_folder(path)) is None:
                continue
            folder = JobFolder(path, lock)
            if folder.state() is not None and is_useless(folder, stored):
                remove_left(folder)
            else:
                os.close(lock)


def find_left_results(study: Study) -> set[Path]:
    """The folders of dead jobs whose results the store has: they died before they cleaned up."""
    states = {path: read_json(path / STATE) for path in left_folders(study) if not is_alive(path)}
    left = {
        path: (unit_of_folder(study, path), state.get("fingerprint"))
        for path, state in states.items()
        if isinstance(state, dict)
    }
    stored = find_stored(study, {unit for unit, _ in left.values()}) if left else set()
    return {path for path, result in left.items() if result in stored}


def is_alive(path: Path) -> bool:
    """True where a job holds a folder; without a lock file nobody does."""
    with contextlib.suppress(OSError), (path / "lock").open() as handle:
        try:
            # Shared and for a moment: nobody waits for it.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_useless(folder: JobFolder, stored: Collection[Path]) -> bool:
    """True for a dead job's folder that nobody needs: not a kept one, nor an unpushed result."""
    if folder.state() is not None:
        return folder.path in stored
    return not (folder.path / KEPT).exists()


def remove_left(folder: JobFolder) -> None:
    """Remove a dead job's folder, and end what still works there."""
    log.info("removing what a dead job left: %s", folder.path)
    end_processes_in(folder.path)
    folder.close(keep=False)


def remove_unnamed(study: Study) -> None:
    """Remove folders whose job died before it gave them their name; that takes milliseconds."""
    for path in study.work_dir.glob(f"{UNNAMED}*"):
        with contextlib.suppress(OSError):
            stat = path.lstat()
            if stat.st_uid == os.getuid() and time.time() - stat.st_mtime > UNNAMED_SECONDS:
                remove_tree(path)


def unit_of_folder(study: Study, path: Path) -> str:
    """The unit whose job made a folder."""
    return path.name.removeprefix(folder_prefix(study)).rpartition("-")[0]


def left_folders(study: Study) -> Iterator[Path]:
    """The study's job folders in the scratch space that belong to this user."""
    for path in sorted(study.work_dir.glob(f"{folder_prefix(study)}*")):
        with contextlib.suppress(OSError):
            stat = path.lstat()
            if path.is_dir() and not path.is_symlink() and stat.st_uid == os.getuid():
                yield path
