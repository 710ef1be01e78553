"""Who is in the dataset: units from the committed tree, by pybids.

The tree of the pinned commit is read, not a folder: files whose content is
absent count, files that nobody committed do not, and nothing is indexed twice.
`BIDSLayout` would take half an hour and 9 GB for 50,000 subjects; pybids' own
entity patterns applied to one file per unit give the same labels in seconds.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .config import LABEL
from .errors import CommandError, WorkflowFailure
from .runners import call_git, call_git_records, read_objects

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


def list_units(
    repository: Path,
    commit: str,
    *,
    by_session: bool,
    include: Iterable[str],
    exclude: Iterable[str],
    source: str,
) -> Units:
    """The units of an input dataset at a commit, sorted.

    `repository` is a clone of the input dataset, `source` its name in
    messages.

    Raises `WorkflowFailure` where the tree is no BIDS dataset, holds no
    subjects, has a folder that cannot be a subject, or lacks a subject of
    `include`.
    """
    where = f"{source} at {commit[:10]}"
    root = read_root(repository, commit)
    if "dataset_description.json" not in root:
        raise WorkflowFailure(
            f"{where} is not a BIDS dataset: it has no dataset_description.json.",
            hint="set datalad.input_repo to the dataset's root, and datalad.input_version "
            "to a commit that has it.",
        )
    exclude = set(exclude)
    check_labels(root, exclude, where)
    folders = read_folders(repository, commit, by_session=by_session)
    known = {name.partition("_")[0].removeprefix("sub-") for name in folders}
    if not known:
        raise WorkflowFailure(
            f"{where} holds no subjects: there is no folder sub-<label> with files in it.",
            hint="check datalad.input_repo and datalad.input_version.",
        )
    include = set(include)
    if absent := sorted(include - known):
        raise WorkflowFailure(
            f"Subject {', '.join(f'sub-{s}' for s in absent)} is listed in subjects.include "
            f"but absent from {where}.",
            hint="remove it from subjects.include, or set datalad.input_version to a commit "
            "that has it.",
        )
    root_files = [(name, id) for name, (mode, id) in sorted(root.items()) if mode != FOLDER]
    units, excluded = select_units(folders, root_files=root_files, include=include, exclude=exclude)
    if not units:
        raise WorkflowFailure(
            f"No subject of {where} is left to process: "
            f"{'; '.join(sorted({reason for _, reason in excluded}))}.",
            hint="change subjects.include or subjects.exclude.",
        )
    return Units(
        commit=commit,
        units=tuple(units),
        excluded=tuple(excluded),
    )


def read_root(repository: Path, commit: str) -> dict[str, tuple[str, str]]:
    """Name -> (mode, object id) of the entries of the dataset's root."""
    entries = {}
    for record in call_git_records(["ls-tree", "-z", commit], cwd=repository):
        head, _, name = record.partition("\t")
        mode, _, object_id = head.split()
        entries[name] = (mode, object_id)
    return entries


def check_labels(root: dict[str, tuple[str, str]], exclude: set[str], where: str) -> None:
    """Refuse subject folders whose label no BIDS tool and no shell would survive."""
    bad = [
        name
        for name, (mode, _) in sorted(root.items())
        if mode == FOLDER
        and name.startswith("sub-")
        and not re.fullmatch(f"sub-{LABEL}", name)
        and name.removeprefix("sub-") not in exclude
    ]
    if bad:
        raise WorkflowFailure(
            f"{where} has a folder {bad[0]!r}, which is not sub-<label> with a label of letters, "
            f"digits and '+'{f' ({len(bad)} such folders)' if len(bad) > 1 else ''}.",
            hint=f"rename it in the dataset, or add {bad[0].removeprefix('sub-')!r} to "
            "subjects.exclude.",
        )


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


def key_size(key: str) -> int:
    """Bytes of an annexed file, from its key; 0 where the key does not tell."""
    match = re.match(r"[A-Z0-9_]+(?:-[a-zA-Z]\d+)*?-s(\d+)", key)
    return int(match[1]) if match else 0


def select_units(
    folders: dict[str, Folder],
    *,
    root_files: list[tuple[str, str]],
    include: set[str],
    exclude: set[str],
) -> tuple[list[Unit], list[tuple[str, str]]]:
    """The units to process, and (unit, reason) of those left out."""
    units, excluded = [], []
    with_sessions = {name.partition("_")[0] for name in folders if "_ses-" in name}
    for name, folder in sorted(folders.items()):
        subject = name.partition("_")[0].removeprefix("sub-")
        if subject in exclude:
            excluded.append((name, "listed in subjects.exclude"))
        elif include and subject not in include:
            excluded.append((name, "not listed in subjects.include"))
        elif folder.is_subdataset:
            excluded.append((name, "its folder is a subdataset of its own"))
        elif name in with_sessions:
            excluded.append((name, "its files outside its session folders are no session"))
        elif find_subject(folder) != subject:
            excluded.append((name, "no file in its folder has a BIDS name of this subject"))
        else:
            units.append(
                Unit(
                    name=name,
                    subject=subject,
                    session=name.partition("_ses-")[2] or None,
                    tree=folder.tree,
                    inherited=digest_inherited([*root_files, *folder.beside]),
                    files=folder.files,
                    bytes=folder.bytes,
                )
            )
    return units, excluded


def find_subject(folder: Folder) -> str | None:
    """Subject label of the folder's first file that pybids recognises."""
    # Imported late: job processes read the cached list and never come here.
    from bids.layout import parse_file_entities

    for path, _ in folder.entries:
        if PurePosixPath(path).name.startswith("sub-"):
            entities = parse_file_entities(f"/{path}", entities=load_entities())
            if {"subject", "suffix"} <= set(entities):
                return entities["subject"]
    return None


_ENTITIES: list = []


def load_entities() -> list:
    """Pybids' BIDS entities, loaded once.

    Without them `parse_file_entities` reads its configuration anew at every
    call, 15 times slower.
    """
    if not _ENTITIES:
        from bids.layout.models import Config

        _ENTITIES.extend(Config.load("bids").entities.values())
    return _ENTITIES


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
