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
from ..datasets.subdataset_trees import TreeEntry
from .unit import LABEL, Unit, folder_of, subject_of

# Files at the root that describe the complete dataset, and change when a subject
# is added.  Every other JSON, TSV or gradient file there is inherited by the
# images below (BIDS 1.10, "The Inheritance Principle").
DATASET_FILES = re.compile(
    r"(dataset_description|participants|samples|phenotype|genetic_info)\.|(scans|sessions)\.tsv$"
)
INHERITED_SUFFIXES = (".json", ".tsv", ".tsv.gz", ".bval", ".bvec")


# The datasets that may hold files of a unit: a subject's folder, a session's, or that of
# a kind of data.  What else is registered there is not the unit's.
DATATYPES = "anat|beh|dwi|eeg|fmap|func|ieeg|meg|micr|motion|mrs|nirs|perf|pet"
HOLDS_FILES = re.compile(f"sub-{LABEL}(/ses-{LABEL})?(/({DATATYPES}))?")


@dataclass
class Folder:
    """What the tree holds of one candidate unit; filled while the tree is read.

    `unread` are the datasets in it that are registered, and into which nobody
    looked; `problem` says why that was not possible where it was tried.
    """

    tree: str = ""
    files: int = 0
    bytes: int = 0
    unread: set[str] = field(default_factory=set)
    problem: str = ""
    # Files whose objects lie in a dataset that is registered in the folder.
    foreign: set[str] = field(default_factory=set)
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


class FolderReader:
    """The candidate units of a commit, gathered while trees are read.

    With `by_session` a subject's session folders are units; a subject without
    any is a unit itself.  A dataset that is registered in a subject's folder
    is one entry, in `registered` (path -> commit), until `add_dataset` says
    what it holds.
    """

    def __init__(self, *, by_session: bool) -> None:
        self.by_session = by_session
        self.registered: dict[str, str] = {}
        self._folders: dict[str, Folder] = {}
        self._with_sessions: set[str] = set()

    def read(self, repository: Path, commit: str, subjects: Iterable[str] = ()) -> None:
        """Add the tree of a commit of the input; of some subjects (`sub-01`), or of all."""
        links: list[tuple[Folder, str]] = []
        command = ["ls-tree", "-r", "-t", "-l", "-z", commit, *subjects]
        records = call_git_records(command, cwd=repository)
        for record in records:
            head, _, path = record.partition("\t")
            mode, _, object_id, size = head.split()
            if not re.fullmatch(f"sub-{LABEL}", path.partition("/")[0]):
                continue
            own = 0 if mode == SYMLINK or not size.isdigit() else int(size)
            folder = self.add(path, mode, object_id, own)
            if mode == SYMLINK:
                links.append((folder, object_id))
        targets = read_objects((object_id for _, object_id in links), repository=repository)
        for (folder, _), target in zip(links, targets, strict=True):
            folder.bytes += key_size(os.path.basename(os.fsdecode(target)))

    def add(self, path: str, mode: str, object_id: str, size: int) -> Folder:
        """Add an entry of a subject; returns the folder of its unit."""
        name = self.name_of(path, mode)
        folder = self._folders.setdefault(name, Folder())
        if mode in (FOLDER, SUBDATASET) and path == folder_of(name):
            folder.tree = object_id
        if mode == SUBDATASET and HOLDS_FILES.fullmatch(path):
            self.registered[path] = object_id
            folder.unread.add(path)
        elif mode != FOLDER:
            folder.files += 1
            folder.bytes += size
            folder.entries.append((path, object_id))
        return folder

    def name_of(self, path: str, mode: str) -> str:
        """The name of the unit that an entry belongs to."""
        subject, *inner = path.split("/")
        in_folder = len(inner) > 1 or (inner and mode in (FOLDER, SUBDATASET))
        if self.by_session and in_folder and re.fullmatch(f"ses-{LABEL}", inner[0]):
            self._with_sessions.add(subject)
            return f"{subject}_{inner[0]}"
        return subject

    def add_dataset(self, path: str, entries: Iterable[TreeEntry]) -> None:
        """Add what a registered dataset holds, but for its own settings."""
        self._owner(path).unread.discard(path)
        for entry in entries:
            if not entry.path.startswith("."):
                inner = f"{path}/{entry.path}"
                folder = self.add(inner, entry.mode, entry.object_id, entry.size)
                folder.foreign.add(inner)

    def add_problem(self, path: str, problem: str) -> None:
        """Note why nobody can look into a registered dataset."""
        self._owner(path).problem = problem

    def _owner(self, path: str) -> Folder:
        """The folder of the unit that a registered dataset belongs to."""
        return self._folders[self.name_of(path, SUBDATASET)]

    def folders(self) -> dict[str, Folder]:
        """Candidate units: name -> what its folder holds."""
        folders = dict(self._folders)
        beside = {
            subject: [(p, o) for p, o in folders[subject].entries if p.count("/") == 1]
            for subject in self._with_sessions & set(folders)
        }
        for name, folder in folders.items():
            if name != subject_of(name):
                folder.beside = beside.get(subject_of(name), [])
                if folder.beside:
                    folder.foreign |= folders[subject_of(name)].foreign
        for subject, files in beside.items():
            if len(files) == folders[subject].files and not folders[subject].unread:
                del folders[subject]
        return {name: each for name, each in folders.items() if each.files or each.unread}


def read_folders(
    repository: Path, commit: str, *, by_session: bool, subjects: Iterable[str] = ()
) -> dict[str, Folder]:
    """Candidate units of a commit: name -> what its folder holds, but for registered datasets.

    `subjects` are folders such as `sub-01`, by default all.
    """
    reader = FolderReader(by_session=by_session)
    reader.read(repository, commit, subjects)
    return reader.folders()


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
