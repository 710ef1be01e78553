"""The BIDS tree of a commit: which candidate units it has, and the files of each.

The tree of the pinned commit is read, not a folder on disk.  So files without
their content count, and files that are not committed do not.  pybids'
`BIDSLayout` would need half an hour and 9 GB for 50,000 subjects.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..base.runners import call_git_records, read_objects
from ..datasets.annex import FOLDER, SUBDATASET, SYMLINK, key_size
from .unit import LABEL, Unit, folder_of, subject_of

# Files at the root that describe the complete dataset, and change when a subject
# is added.  Every other JSON, TSV or gradient file there is inherited by the
# images below (BIDS 1.10, "The Inheritance Principle").
DATASET_FILES = re.compile(
    r"(dataset_description|participants|samples|phenotype|genetic_info)\.|(scans|sessions)\.tsv$"
)
INHERITED_SUFFIXES = (".json", ".tsv", ".tsv.gz", ".bval", ".bvec")


@dataclass
class Folder:
    """What the tree holds of one candidate unit; filled while the tree is read."""

    tree: str = ""
    files: int = 0
    bytes: int = 0
    is_subdataset: bool = False
    # (path, object id) of its files, and of those beside it that it inherits.
    entries: list[tuple[str, str]] = field(default_factory=list)
    beside: list[tuple[str, str]] = field(default_factory=list)


def read_root(repository: Path, commit: str) -> dict[str, tuple[str, str]]:
    """Name -> (mode, object id) of the entries of the dataset's root."""
    entries = {}
    for record in call_git_records(["ls-tree", "-z", commit], cwd=repository):
        head, _, name = record.partition("\t")
        mode, _, object_id = head.split()
        entries[name] = (mode, object_id)
    return entries


def read_folders(
    repository: Path, commit: str, *, by_session: bool, subjects: Iterable[str] = ()
) -> dict[str, Folder]:
    """Candidate units of a commit: name -> what its folder holds.

    `subjects` are folders such as `sub-01`, by default all.  With `by_session`
    a subject's session folders are units; a subject without any is a unit itself.
    """
    folders: dict[str, Folder] = {}
    subjects_with_sessions = set()
    links: list[tuple[Folder, str]] = []
    command = ["ls-tree", "-r", "-t", "-l", "-z", commit, *subjects]
    records = call_git_records(command, cwd=repository)
    for record in records:
        head, _, path = record.partition("\t")
        mode, _, object_id, size = head.split()
        parts = path.split("/")
        if not re.fullmatch(f"sub-{LABEL}", parts[0]):
            continue
        name = parts[0]
        in_folder = len(parts) > 2 or (len(parts) == 2 and mode == FOLDER)
        if by_session and in_folder and re.fullmatch(f"ses-{LABEL}", parts[1]):
            name = f"{parts[0]}_{parts[1]}"
            subjects_with_sessions.add(parts[0])
        folder = folders.setdefault(name, Folder())
        if mode == FOLDER:
            if path == folder_of(name):
                folder.tree = object_id
            continue
        folder.files += 1
        folder.is_subdataset |= mode == SUBDATASET
        folder.entries.append((path, object_id))
        if mode == SYMLINK:
            links.append((folder, object_id))
        elif size != "-":
            folder.bytes += int(size)
    targets = read_objects((object_id for _, object_id in links), repository=repository)
    for (folder, _), target in zip(links, targets, strict=True):
        folder.bytes += key_size(os.path.basename(os.fsdecode(target)))
    beside = {
        subject: [(p, o) for p, o in folders[subject].entries if p.count("/") == 1]
        for subject in subjects_with_sessions & set(folders)
    }
    for name, folder in folders.items():
        if name != subject_of(name):
            folder.beside = beside.get(subject_of(name), [])
    for subject, files in beside.items():
        if len(files) == folders[subject].files:
            del folders[subject]
    return {name: folder for name, folder in folders.items() if folder.files}


def digest_inherited(files: list[tuple[str, str]]) -> str:
    """A digest of those files, given as (path, object id), that images inherit from."""
    inherited = [
        (path, object_id)
        for path, object_id in files
        if path.endswith(INHERITED_SUFFIXES) and not DATASET_FILES.search(path)
    ]
    return hashlib.sha256(repr(inherited).encode()).hexdigest()[:16]


def inherited_files(repository: Path, commit: str, unit: Unit) -> Iterator[str]:
    """Files above the unit's folder that apply to it, relative to the dataset."""
    folders = ["./"] if unit.session is None else ["./", f"sub-{unit.subject}/"]
    for record in call_git_records(["ls-tree", "-z", commit, *folders], cwd=repository):
        head, _, path = record.partition("\t")
        if head.split()[1] == "blob" and not path.startswith(".git"):
            yield path
