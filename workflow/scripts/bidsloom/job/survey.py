"""What an app left below the output folders, file by file, and what becomes of each.

Nothing that the app wrote is lost because an ignore file, a nested repository
or an odd name stands in the way: every entry is saved, left out on purpose
with a word about it, or named as the reason why the unit fails.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath

from ..base.text import printable
from ..datasets.annex import link_key
from ..units.unit import LABEL, Unit


class Kind(Enum):
    """What an entry of the output folders is."""

    FILE = "file"
    LINK = "link"
    GIT = "the git directory of a nested repository"
    SPECIAL = "neither a file, a folder nor a link"


@dataclass(frozen=True)
class Entry:
    """One entry below the output folders; `path` is relative to the output dataset."""

    path: str
    kind: Kind
    size: int = 0
    target: str = ""


@dataclass
class Survey:
    """What becomes of every entry.

    `kept` are saved as they are, `relinked` are links that get another target,
    `copied` are links that are replaced by the content they lead to.
    `left_out` (path -> why) is told in the log and the record; `notes` are
    further remarks.  With `faults` the unit fails.
    """

    kept: dict[str, Entry] = field(default_factory=dict)
    relinked: dict[str, str] = field(default_factory=dict)
    copied: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def list_entries(root: Path, folders: Iterable[str], *, apart: Iterable[str] = ()) -> list[Entry]:
    """Every entry below some folders of a dataset, sorted; folders themselves are not listed.

    Folders that their owner cannot read or write are opened on the way: apps
    leave some of mode 555.  `apart` are folders that are datasets of their
    own, whose git directory is no entry.
    """
    found: list[Entry] = []
    apart = set(apart)
    for folder in folders:
        path = root / folder
        if path.is_dir() and not path.is_symlink():
            found += walk(path, folder, apart)
        elif os.path.lexists(path):
            found.append(describe_entry(folder, path.lstat(), path))
    return sorted(found, key=lambda entry: entry.path)


def walk(folder: Path, relative: str, apart: set[str]) -> Iterator[Entry]:
    """The entries below one folder."""
    mode = folder.lstat().st_mode
    if mode & 0o700 != 0o700:
        folder.chmod(stat.S_IMODE(mode) | 0o700)
    with os.scandir(folder) as entries:
        listed = list(entries)
    for entry in listed:
        path = f"{relative}/{entry.name}"
        if entry.name.lower() == ".git":
            if relative not in apart:
                yield Entry(path, Kind.GIT)
        elif entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path), path, apart)
        else:
            yield describe_entry(path, entry.stat(follow_symlinks=False), Path(entry.path))


def describe_entry(relative: str, status: os.stat_result, path: Path) -> Entry:
    """An entry that is no folder; a file that its owner cannot read is made readable."""
    if stat.S_ISLNK(status.st_mode):
        return Entry(relative, Kind.LINK, target=str(path.readlink()))
    if stat.S_ISREG(status.st_mode):
        if not status.st_mode & 0o400:
            path.chmod(stat.S_IMODE(status.st_mode) | 0o400)
        return Entry(relative, Kind.FILE, size=status.st_size)
    return Entry(relative, Kind.SPECIAL)


def decide(
    entries: Iterable[Entry],
    *,
    unit: Unit,
    places: Places,
    unwanted: Collection[str] = (),
) -> Survey:
    """What becomes of each entry.

    `places` answers what a link leads to; `unwanted` are paths that the study
    does not want.
    """
    survey, left = Survey(), set(unwanted)
    for entry in entries:
        path = entry.path
        if path in left:
            survey.left_out[path] = "named by container.leave_out"
        elif entry.kind in (Kind.GIT, Kind.SPECIAL):
            survey.left_out[path] = entry.kind.value
        elif not is_text(path):
            survey.faults.append(f"{printable(path)}: its name is not valid UTF-8")
        elif owner := other_owner(path, unit):
            survey.faults.append(
                f"{printable(path)} belongs to {owner}, not to {unit.name}: "
                "a job writes for its own unit alone"
            )
        elif entry.kind is Kind.LINK:
            decide_link(entry, places, survey)
        else:
            survey.kept[path] = entry
    return survey


@dataclass(frozen=True)
class Places:
    """Where links may lead.

    `roots` are the absolute paths under which the app saw the dataset.
    `holds` says whether the dataset has a path once it is merged: below an
    output, below a registered dataset, or committed.  `content_of` finds the
    file that holds the content of an annexed file of an input, by the link's
    path and its key.
    """

    roots: Sequence[str]
    holds: Callable[[str], bool]
    exists: Callable[[str], bool]
    content_of: Callable[[str, str], Path | None]


def decide_link(entry: Entry, places: Places, survey: Survey) -> None:
    """What becomes of a link: it stays, is made relative, or is replaced by what it leads to."""
    path, target = entry.path, entry.target
    if key := link_key(target):
        content = places.content_of(path, key)
        if content is None:
            survey.faults.append(
                f"{printable(path)} is a link to annexed content that is not here "
                f"({printable(key)}): copy the file's content instead (cp -L)"
            )
        else:
            survey.copied[path] = content
            survey.kept[path] = entry
            survey.notes.append(f"{printable(path)}: a link to annexed content, saved as a file")
        return
    inside = path_inside(path, target, places.roots)
    if inside is None or not places.holds(inside):
        survey.faults.append(
            f"{printable(path)} is a link that leads out of the dataset, to {printable(target)}: "
            "let the app copy the file, or name the link in container.leave_out"
        )
        return
    if target.startswith("/"):
        survey.relinked[path] = os.path.relpath(inside, PurePosixPath(path).parent)
        survey.notes.append(f"{printable(path)}: an absolute link, made relative")
    if not places.exists(inside):
        survey.notes.append(f"{printable(path)}: a link to {printable(inside)}, which is not there")
    survey.kept[path] = entry


def path_inside(path: str, target: str, roots: Sequence[str]) -> str | None:
    """The path in the dataset that a link leads to, or None where it leads out of it."""
    if target.startswith("/"):
        for root in roots:
            if target == root or target.startswith(f"{root}/"):
                found = os.path.normpath(target[len(root) :].lstrip("/") or ".")
                return None if found.startswith("..") else found
        return None
    found = os.path.normpath(PurePosixPath(path).parent / target)
    return None if found == ".." or found.startswith("../") else found


_SUBJECT = re.compile(rf"sub-({LABEL})(?![A-Za-z0-9+])")
_SESSION = re.compile(rf"(?:^|_)ses-({LABEL})(?![A-Za-z0-9+])")


def other_owner(path: str, unit: Unit) -> str | None:
    """The unit that a path belongs to, if it is not the one that wrote it.

    The first part of the path that starts with `sub-` says whose it is: a
    file further down may well name another subject (a template, a twin).
    """
    if unit.is_group:
        return None
    subject = session = None
    for part in PurePosixPath(path).parts:
        if subject is None and (match := _SUBJECT.match(part)):
            subject = match[1]
        # A session's folder may stand before its subject's.
        if session is None and (match := _SESSION.search(part)):
            session = match[1]
    if subject is not None and subject != unit.subject:
        return f"sub-{subject}"
    if unit.session is not None and session is not None and session != unit.session:
        return f"sub-{unit.subject}_ses-{session}"
    return None


def is_text(path: str) -> bool:
    """True for a name that is valid UTF-8; records and most tools take no other."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
