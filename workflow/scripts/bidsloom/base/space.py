"""Disks that are full, as a failure that names the folder."""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import CommandError, FailureClass, WorkflowFailure

# The last one is git-annex': less space than annex.diskreserve would be left.
FULL = re.compile("No space left on device|Disk quota exceeded|not enough free space")
# git does not always say why it could not write.
LITTLE = 2**20


def says_full(error: BaseException | str | None) -> bool:
    """True where an error, or what it was raised from, says that a disk is full."""
    if isinstance(error, str):
        return bool(FULL.search(error))
    if error is None:
        return False
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    told = error.stderr if isinstance(error, CommandError) else str(error)
    return says_full(told) or says_full(error.__cause__)


def free_space(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return LITTLE


def full_folder(error: BaseException, folders: Iterable[Path]) -> Path | None:
    """The folder that was full when an error happened; None where space was no matter."""
    by_space = sorted(folders, key=free_space)
    if says_full(error) or free_space(by_space[0]) < LITTLE:
        return by_space[0]
    return None


@contextlib.contextmanager
def space_needed(what: str, folders: Iterable[Path]) -> Iterator[None]:
    """Raise whatever fails because one of some folders is full as a `WorkflowFailure`.

    `what` says what could not be done.
    """
    try:
        yield
    except (CommandError, OSError, WorkflowFailure) as e:
        folder = full_folder(e, folders)
        if folder is None:
            raise
        raise no_space(what, folder) from e


def no_space(what: str, folder: Path) -> WorkflowFailure:
    """The failure of what needed more space than a folder's disk had."""
    return WorkflowFailure(
        f"{what} failed: no space is left in {folder}.",
        hint="free some space there, then start again; nothing that was computed is lost.",
        failure_class=FailureClass.NO_SPACE,
    )
