"""A plain folder as it lies on disk: what it holds, and what of it cannot be imported.

Each entry of the folder is looked at with all that is below it.  An import
takes an entry completely or not at all, so a subject is never imported in part.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..base.text import a_few, printable
from ..config.values import local_path

# Parts of a bare repository.
BARE = ("HEAD", "objects", "refs")
# How many files of one entry are named.
NAMED = 3


@dataclass
class RootEntry:
    """An entry of a folder, with all that is below it.

    `state` changes whenever a file below it changes.  `links` are symbolic
    links that stay inside the part (path -> target); they are kept as they
    are.  `faults` say why other files cannot be imported.
    """

    state: str = ""
    files: int = 0
    is_folder: bool = False
    links: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def fault(self) -> str:
        """Why the entry cannot be imported; empty where it can."""
        return a_few(self.faults, NAMED)


def plain_folder(url: str) -> Path | None:
    """The folder at a path or `file://` URL, if it is there and is no git repository itself.

    A folder inside of a repository is a plain folder too: git has only the
    repository as a dataset, not a folder of it.
    """
    path = local_path(url)
    if path is None:
        return None
    repository = os.path.lexists(path / ".git") or all((path / name).exists() for name in BARE)
    return path if path.is_dir() and not repository else None


def look_into(folder: Path, *, skip: Collection[str] = ()) -> dict[str, RootEntry]:
    """Every entry of a folder by its name, without those of `skip` and git's own.

    Raises `OSError` where the folder itself cannot be read.
    """
    parts = {}
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        if name not in skip and name.lower() != ".git":
            parts[name] = look_at(folder, name)
    return parts


def look_at(folder: Path, name: str) -> RootEntry:
    """One entry of a folder."""
    part = RootEntry()
    state = hashlib.sha256()
    for path, status in walk(folder, name, part):
        mode = status.st_mode
        known = [path, stat.S_IFMT(mode), status.st_size, status.st_mtime_ns]
        if stat.S_ISLNK(mode):
            target = str((folder / path).readlink())
            known.append(target)
            if stays_inside(path, target):
                part.links[path] = target
            else:
                part.faults.append(f"{printable(path)} is a link that leads out of {name}")
        elif not stat.S_ISREG(mode):
            part.faults.append(f"{printable(path)} is neither a file nor a folder")
        elif not os.access(folder / path, os.R_OK):
            part.faults.append(f"{printable(path)} cannot be read")
        else:
            part.files += 1
        state.update(repr(known).encode())
    state.update(repr(part.faults).encode())
    part.state = state.hexdigest()
    return part


def walk(folder: Path, path: str, part: RootEntry) -> Iterator[tuple[str, os.stat_result]]:
    """Every file and link at or below a path, sorted, with its status."""
    try:
        status = os.lstat(folder / path)
        if not stat.S_ISDIR(status.st_mode):
            yield path, status
            return
        part.is_folder |= "/" not in path
        with os.scandir(folder / path) as entries:
            names = sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return  # removed meanwhile
    except OSError as e:
        part.faults.append(f"{printable(path)} cannot be read ({e.strerror})")
        return
    for name in names:
        if name.lower() != ".git":
            yield from walk(folder, f"{path}/{name}", part)


def stays_inside(path: str, target: str) -> bool:
    """Whether a link leads to a path in the same folder of the root."""
    top, _, _ = path.partition("/")
    found = os.path.normpath(PurePosixPath(path).parent / target)
    return not target.startswith("/") and found.startswith(f"{top}/")


def state_of(parts: Mapping[str, RootEntry]) -> str:
    """A digest of all parts: another one means that something changed."""
    return hashlib.sha256(repr([(n, p.state) for n, p in parts.items()]).encode()).hexdigest()


def changed_parts(before: Mapping[str, RootEntry], after: Mapping[str, RootEntry]) -> list[str]:
    """Names of the entries that changed, joined or left."""
    return sorted(
        name
        for name in {*before, *after}
        if name not in before or name not in after or before[name].state != after[name].state
    )


def import_filter(names: Iterable[str]) -> str:
    """What git-annex shall import, as it writes preferred content: all but some entries."""
    terms = []
    for name in sorted(names):
        # An expression has no quotes; such a character stands for any one.
        pattern = re.sub(r"[^A-Za-z0-9_.+-]", "?", name)
        terms += [f"exclude={pattern}", f"exclude={pattern}/*"]
    return " and ".join(terms)
