"""Who is in the dataset: what the committed tree holds of every candidate unit.

The tree of the pinned commit is read, not a folder: files whose content is
absent count, files that nobody committed do not, and nothing is indexed twice.
`BIDSLayout` would take half an hour and 9 GB for 50,000 subjects.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .config import LABEL
from .errors import CommandError
from .runners import call_annex, call_git, call_git_records, read_objects

SYMLINK = "120000"
FOLDER = "040000"
# More than any file that git-annex leaves in git to stand for an unlocked one.
POINTER_SIZE = 1000
SUBDATASET = "160000"

# Root files that describe the dataset as a whole and change when anybody
# joins it.  Every other JSON, TSV or gradient file there is inherited by the
# images below (BIDS 1.10, "The Inheritance Principle").
DATASET_FILES = re.compile(
    r"(dataset_description|participants|samples|phenotype|genetic_info)\.|(scans|sessions)\.tsv$"
)
INHERITED_SUFFIXES = (".json", ".tsv", ".tsv.gz", ".bval", ".bvec")


# The name of the unit that stands for all, in the app's group level.
GROUP = "group"


@dataclass(frozen=True)
class Unit:
    """A subject, or one session of a subject: what one job processes.

    Attributes
    ----------
    tree : str
        Git tree id of the unit's folder at the pinned commit.
    inherited : str
        Digest of the files above that folder that its images inherit from.
    files, bytes : int
        Number and size of the files in that folder; the size of annexed files
        comes from their keys.
    further : tuple[tuple[str, str], ...]
        Path of each further input that the unit is in, with a digest of what
        it takes there.

    """

    name: str
    subject: str
    session: str | None
    tree: str
    inherited: str
    files: int
    bytes: int
    further: tuple[tuple[str, str], ...] = ()

    @property
    def is_group(self) -> bool:
        """True for what the app's group level processes."""
        return self.name == GROUP

    @property
    def folder(self) -> str:
        """The unit's folder, relative to the input dataset."""
        return self.name.replace("_", "/", 1)


@dataclass(frozen=True)
class Units:
    """The units of one commit, and those left out (unit, reason)."""

    commit: str
    units: tuple[Unit, ...]
    excluded: tuple[tuple[str, str], ...]


@dataclass
class Folder:
    """What the tree says of one candidate unit, while it is being read."""

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


def read_folders(repository: Path, commit: str, *, by_session: bool) -> dict[str, Folder]:
    """Candidate units of a commit: name -> what its folder holds.

    With `by_session` a subject's session folders are units; a subject
    without any is a unit itself.
    """
    folders: dict[str, Folder] = {}
    subjects_with_sessions = set()
    links: list[tuple[Folder, str]] = []
    records = call_git_records(["ls-tree", "-r", "-t", "-l", "-z", commit], cwd=repository)
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
            if path == name.replace("_", "/", 1):
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
        subject, _, session = name.partition("_")
        if session and subject in beside:
            folder.beside = beside[subject]
    for subject, files in beside.items():
        if len(files) == folders[subject].files:
            del folders[subject]
    return {name: folder for name, folder in folders.items() if folder.files}


def annexed_keys(repository: Path, commit: str, paths: list[str]) -> list[str]:
    """Keys of the annexed files below some paths, as links or unlocked."""
    command = ["ls-tree", "-r", "-l", "-z", commit, *paths]
    candidates = []
    for record in call_git_records(command, cwd=repository):
        mode, _, object_id, size = record.partition("\t")[0].split()
        # An unlocked file's blob is a line with its key.
        if mode == SYMLINK or (size != "-" and int(size) < POINTER_SIZE):
            candidates.append(object_id)
    contents = read_objects(candidates, repository=repository)
    keys = (
        os.fsdecode(content.split(b"\n")[0]).rpartition("/")[2]
        for content in contents
        if b"annex/objects/" in content
    )
    return list(dict.fromkeys(keys))


def read_file(repository: Path, commit: str, path: str) -> bytes | None:
    """A committed file, fetched first where it is annexed; None where there is none.

    Raises `CommandError` where its content cannot be fetched.
    """
    entries = call_git_records(["ls-tree", "-z", commit, "--", path], cwd=repository)
    if not entries or entries[0].split()[1] != "blob":
        return None
    if keys := annexed_keys(repository, commit, [path]):
        call_annex(["get", "-q", f"--key={keys[0]}"], cwd=repository)
        place = call_annex(["contentlocation", keys[0]], cwd=repository)
        return (repository / place).read_bytes()
    (content,) = read_objects([entries[0].split()[2]], repository=repository)
    return content


def key_size(key: str) -> int:
    """Bytes of an annexed file, from its key; 0 where the key does not tell."""
    match = re.match(r"[A-Z0-9_]+(?:-[a-zA-Z]\d+)*?-s(\d+)", key)
    return int(match[1]) if match else 0


def digest_inherited(files: list[tuple[str, str]]) -> str:
    """A digest of those of (path, object id) that images inherit from."""
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


def annex_branch(repository: Path) -> str | None:
    """The commit of a clone's git-annex branch, as fetched; None where there is none."""
    for ref in ("refs/remotes/origin/git-annex", "refs/heads/git-annex"):
        try:
            return call_git(["rev-parse", "--verify", "-q", ref], cwd=repository)
        except CommandError:
            continue
    return None


def is_annexed(repository: Path) -> bool:
    """True where a clone knows of git-annex content."""
    return annex_branch(repository) is not None
