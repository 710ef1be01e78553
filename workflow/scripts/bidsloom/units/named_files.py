"""Files outside of a unit's folder that its job sees, since all see them or the unit names them.

Named are, by the unit's own files:

    stimuli      by a column `stim_file` of an events file: the folder `stimuli`
    empty room   by `AssociatedEmptyRoom` of an MEG sidecar
    sessions     by `IntendedFor` of a sidecar, in both directions between sessions of a subject

What is annexed is not fetched for that: a job looks again once it has its files.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..base.batching import in_batches
from ..base.errors import WorkflowFailure
from ..base.files import digest
from ..base.runners import read_objects
from ..datasets.annex import FOLDER, POINTER_SIZE, link_key, pointer_key
from .file_names import FOLDERS
from .further_inputs import InputEntry, read_entries
from .tree import Folder, read_folders, read_root
from .unit import EMPTY_ROOM, Unit, folder_of, subject_of

STIMULI = "stimuli"
EVENTS = "_events.tsv"
# Bytes of sidecars are in memory for so many files at a time.
FILES_AT_ONCE = 5000
Files = Mapping[str, str]  # path -> object id


@dataclass
class Contents:
    """What sidecars and events files say, by the ids of their objects; each is read once.

    `disk` is a work tree with the content of annexed files; without it,
    `unread` says that there were such files.
    """

    repository: Path
    disk: Path | None = None
    unread: bool = False
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    uses_stimuli: dict[str, bool] = field(default_factory=dict)

    def read(self, found: Iterable[tuple[str, str]]) -> None:
        """Read some files, given as (path, object id), that were not read yet."""
        known = {**self.names, **self.uses_stimuli}
        wanted = {oid: path for path, oid in found if oid not in known}
        for chunk in in_batches(wanted.items(), FILES_AT_ONCE):
            contents = read_objects((oid for oid, _ in chunk), repository=self.repository)
            for (oid, path), blob in zip(chunk, contents, strict=True):
                content = self.content_of(path, blob)
                if path.endswith(EVENTS):
                    self.uses_stimuli[oid] = names_stimuli(content)
                else:
                    self.names[oid] = tuple(names_in(content))

    def meant_by(self, oids: Iterable[str], subject: str) -> list[str]:
        """The paths that some sidecars of a subject may mean."""
        names = (name for oid in oids for name in self.names.get(oid, ()))
        return [path for name in names for path in resolve(name, subject)]

    def is_of_stimuli(self, folder: Folder, common: Iterable[tuple[str, str]]) -> bool:
        """Whether an events file of a unit, or one that it inherits, names a stimulus."""
        files = [*folder.entries, *folder.beside, *common]
        return any(self.uses_stimuli.get(oid, False) for _, oid in files)

    def content_of(self, path: str, blob: bytes) -> bytes:
        """A file's content; empty where it is annexed, and not on disk."""
        if not (pointer_key(blob) or (len(blob) < POINTER_SIZE and link_key(os.fsdecode(blob)))):
            return blob
        if self.disk and (self.disk / path).is_file():
            return (self.disk / path).read_bytes()
        self.unread = True
        return b""


@dataclass(frozen=True)
class Named:
    """Paths outside of a unit's folder that its files name, relative to the dataset.

    `unread` says that some of these files are annexed, and may name more.
    """

    paths: tuple[str, ...]
    unread: bool


def names_stimuli(content: bytes) -> bool:
    """Whether an events file has a file in its column `stim_file`."""
    header, *rows = content.decode(errors="replace").splitlines() or [""]
    columns = header.split("\t")
    if "stim_file" not in columns:
        return False
    at = columns.index("stim_file")
    cells = (row.split("\t")[at : at + 1] for row in rows)
    return any(cell and cell[0].strip() not in ("", "n/a") for cell in cells)


def names_in(content: bytes) -> Iterator[str]:
    """The paths in `AssociatedEmptyRoom` and `IntendedFor` of a sidecar."""
    try:
        sidecar = json.loads(content)
    except ValueError:
        return
    for key in ("AssociatedEmptyRoom", "IntendedFor"):
        value = sidecar.get(key, []) if isinstance(sidecar, dict) else []
        for name in value if isinstance(value, list) else [value]:
            if isinstance(name, str):
                yield name


def resolve(name: str, subject: str) -> list[str]:
    """The paths that a sidecar may mean: a BIDS URI, a path of the dataset or of the subject."""
    if name.startswith("bids:"):
        dataset, _, path = name.removeprefix("bids:").partition(":")
        return [path] if not dataset else []
    path = name.lstrip("/")
    return [path, f"{subject}/{path}"]


def is_sidecar(path: str, *, by_session: bool) -> bool:
    """Whether a sidecar may name files of elsewhere."""
    if not path.endswith(".json"):
        return False
    kind = path.rpartition("/")[0].rpartition("/")[2]
    return path.endswith("_meg.json") or (by_session and kind in ("fmap", "perf"))


class Neighbours:
    """The folders of a commit, by subject."""

    def __init__(self, folders: Mapping[str, Folder], *, has_stimuli: bool) -> None:
        self.folders, self.has_stimuli = folders, has_stimuli
        self.of_subject: dict[str, list[str]] = defaultdict(list)
        for name in folders:
            self.of_subject[subject_of(name)].append(name)

    def sessions(self, unit: str) -> list[str]:
        """The other sessions of a session's subject."""
        if "_ses-" not in unit:
            return []
        return [n for n in self.of_subject[subject_of(unit)] if n != unit and "_ses-" in n]

    def to_read(self, unit: str) -> Iterator[tuple[str, str]]:
        """The files that name others: the unit's own, and sidecars of the other sessions."""
        folder, by_session = self.folders[unit], "_ses-" in unit
        for path, oid in [*folder.entries, *folder.beside]:
            if path not in folder.foreign and (
                is_sidecar(path, by_session=by_session)
                or (self.has_stimuli and path.endswith(EVENTS))
            ):
                yield path, oid
        for other in self.sessions(unit):
            for path, oid in self.folders[other].entries:
                if path not in self.folders[other].foreign and is_sidecar(path, by_session=True):
                    yield path, oid

    def named_by(self, unit: str, contents: Contents) -> dict[str, str]:
        """Path -> object id of the files outside of a unit's folder that belong to it."""
        subject, own = subject_of(unit), dict(self.folders[unit].entries)
        found: dict[str, str] = {}
        others = self.sessions(unit)
        if meant := contents.meant_by(own.values(), subject):
            rooms = [name for name in self.of_subject.get(f"sub-{EMPTY_ROOM}", ()) if name != unit]
            beside: dict[str, str] = {}
            for name in (*others, *rooms):
                beside.update(self.folders[name].entries)
            for path in meant:
                found |= recording(path, beside)
        inside = f"{folder_of(unit)}/"
        for other in others:
            files = dict(self.folders[other].entries)
            for path, oid in files.items():
                meant = contents.meant_by([oid], subject)
                if any(p.startswith(inside) and recording(p, own) for p in meant):
                    found |= recording(path, files)
        return dict(sorted(found.items()))


def recording(path: str, files: Files) -> dict[str, str]:
    """The files of a recording and their sidecars: all whose names agree but for the suffix."""
    if path not in files and not any(other.startswith(f"{path}/") for other in files):
        return {}
    folder, _, name = path.rstrip("/").rpartition("/")
    stem = f"{folder}/{name.rpartition('_')[0]}_"
    return {other: oid for other, oid in files.items() if other.startswith(stem)}


def read_shared(
    repository: Path, commit: str, shared: Iterable[str], *, left_out: Mapping[str, str]
) -> list[InputEntry]:
    """The entries of a commit that every unit sees; `left_out` says why some are not there.

    Raises `WorkflowFailure` where one is missing.
    """
    shared = list(shared)
    found = read_entries(repository, commit, shared) if shared else []
    if missing := sorted(set(shared) - {entry.path for entry in found}):
        lost = left_out.get(missing[0].partition("/")[0])
        raise WorkflowFailure(
            f"{', '.join(missing)} of datalad.shared_paths is not in the input at {commit[:10]}"
            f"{f': {lost}' if lost else ''}.",
            hint=f"list its files: git -C '{repository}' ls-tree --name-only {commit}",
        )
    return found


def add_named(
    units: Iterable[Unit],
    folders: Mapping[str, Folder],
    *,
    repository: Path,
    root: Mapping[str, tuple[str, str]],
    shared: Iterable[InputEntry],
) -> list[Unit]:
    """The units, whose digests of what they inherit include all that they see of elsewhere."""
    units, contents = list(units), Contents(repository)
    stimuli, common = stimuli_of(root), common_events(root)
    neighbours = Neighbours(folders, has_stimuli=bool(stimuli))
    contents.read([file for unit in units for file in neighbours.to_read(unit.name)])
    contents.read(common)
    entries = [(entry.path, entry.object_id) for entry in shared]
    joined = []
    for unit in units:
        named = list(neighbours.named_by(unit.name, contents).items())
        if stimuli and contents.is_of_stimuli(folders[unit.name], common):
            named.append((STIMULI, stimuli))
        if entries or named:
            unit = replace(unit, inherited=digest([unit.inherited, entries, named]))
        joined.append(unit)
    return joined


def stimuli_of(root: Mapping[str, tuple[str, str]]) -> str:
    """The tree id of the dataset's stimuli; empty without any."""
    mode, oid = root.get(STIMULI, ("", ""))
    return oid if mode == FOLDER else ""


def common_events(root: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """Events files at the root, which all units inherit; none where there are no stimuli."""
    if not stimuli_of(root):
        return []
    return [(name, oid) for name, (_, oid) in root.items() if name.endswith(EVENTS)]


def find_named(repository: Path, commit: str, unit: Unit, *, disk: Path | None = None) -> Named:
    """What one unit's files name; `disk` is a work tree with their content."""
    subjects = [f"sub-{unit.subject}", f"sub-{EMPTY_ROOM}"]
    folders = read_folders(
        repository, commit, by_session=unit.session is not None, subjects=subjects
    )
    if unit.name not in folders:
        return Named((), unread=False)
    root, contents = read_root(repository, commit), Contents(repository, disk)
    stimuli, common = stimuli_of(root), common_events(root)
    neighbours = Neighbours(folders, has_stimuli=bool(stimuli))
    contents.read([*neighbours.to_read(unit.name), *common])
    files = neighbours.named_by(unit.name, contents)
    # A recording that is a folder is one path.
    paths = list(dict.fromkeys(m[1] if (m := FOLDERS.match(file)) else file for file in files))
    if stimuli and contents.is_of_stimuli(folders[unit.name], common):
        paths.append(STIMULI)
    return Named(tuple(paths), contents.unread)
