"""Decide what of the job branches is merged.  A pure function of what was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ..base.text import a_few
from ..datasets.branches import Branch, Entry
from .outlines import ancestors


@dataclass
class Weave:
    """What a merge would do: files to write (None: to remove), and units left out."""

    merged: list[Branch] = field(default_factory=list)
    written: list[dict[str, Entry | None]] = field(default_factory=list)
    removed: dict[str, dict[str, Entry | None]] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def decide(
    branches: list[Branch],
    *,
    held: dict[str, Branch],
    shared: list[str],
    removed: Iterable[str] = (),
) -> Weave:
    """Which branches are merged, and what that writes.

    `held` is what main holds of each unit, `removed` are the units to be taken
    out of it.  A unit's new result replaces all of its old one.  Where two
    units wrote one path with different content, and the path is shared, the
    file of the unit that sorts first stays: the outcome does not depend on who
    finished first.  Where the path is not shared, the new units are left out.
    """
    weave = Weave()
    staying = {unit: branch for unit, branch in held.items() if unit not in removed}
    everything = [*staying.values(), *branches]
    owners, folders = by_path(everything), by_folder(everything)
    # Of most files that units have in common, all have the same content.
    disputed = {p for p, found in owners.items() if len({b.files[p] for b in found}) > 1}
    for branch in branches:
        unit = branch.result.unit
        for path, entry in sorted(branch.files.items()):
            others = in_the_way(branch, path, owners, folders)
            if path in disputed and not any(fnmatchcase(path, pattern) for pattern in shared):
                others |= {b.result.unit for b in owners[path] if b.files[path] != entry}
            if others := others - {unit}:
                weave.left[unit] = f"conflict: {path} was also written by {names(others)}"
                break
    weave.merged = [b for b in branches if b.result.unit not in weave.left]
    merged = {b.result.unit for b in weave.merged}
    stand = [*(b for unit, b in staying.items() if unit not in merged), *weave.merged]
    standing = {path: first_of(found, path) for path, found in by_path(stand).items()}
    for branch in weave.merged:
        old = held[branch.result.unit].files if branch.result.unit in held else {}
        weave.written.append({path: standing.get(path) for path in {**old, **branch.files}})
    for unit in removed:
        files = held[unit].files if unit in held else {}
        weave.removed[unit] = {path: standing.get(path) for path in files}
    return weave


def first_of(branches: list[Branch], path: str) -> Entry:
    """The file that main holds at a path after the merge: of the unit that sorts first."""
    return min(branches, key=lambda b: b.result.unit).files[path]


def by_path(branches: list[Branch]) -> dict[str, list[Branch]]:
    """Path -> the branches that hold a file there."""
    owners: dict[str, list[Branch]] = {}
    for branch in branches:
        for path in branch.files:
            owners.setdefault(path, []).append(branch)
    return owners


def by_folder(branches: list[Branch]) -> dict[str, set[str]]:
    """Folder -> the units that hold files in it."""
    found: dict[str, set[str]] = {}
    for branch in branches:
        paths = (path for path in branch.files if is_written(branch, path))
        for folder in {folder for path in paths for folder in ancestors(path)}:
            found.setdefault(folder, set()).add(branch.result.unit)
    return found


def in_the_way(
    branch: Branch,
    path: str,
    owners: Mapping[str, list[Branch]],
    folders: Mapping[str, set[str]],
) -> set[str]:
    """The units that have a folder where a branch has a file, or a file where it has a folder."""
    if not is_written(branch, path):
        return set()
    files = {
        other.result.unit
        for folder in ancestors(path)
        for other in owners.get(folder, ())
        if is_written(other, folder)
    }
    return files | folders.get(path, set())


def is_written(branch: Branch, path: str) -> bool:
    """True where a branch writes at a path, and does not only remove what was there."""
    return bool(int(branch.files[path].mode))


def names(units: set[str]) -> str:
    """A few units by name, the others by number."""
    return a_few(sorted(units), 3)
