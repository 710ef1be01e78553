"""Subjects and sessions that are datasets of their own, registered in the input.

The input registers each by a commit, so names and commits are known without
it.  What it holds is looked up only where a decision needs it, and nothing of
its content is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.runners import call_git_records
from ..base.text import a_few
from ..config import Study
from ..datasets.annex import FOLDER, SUBDATASET
from ..datasets.subdataset_trees import (
    SubdatasetTree,
    TreeEntry,
    read_tree,
    read_trees,
)
from ..datasets.subdatasets import Registry, Subdataset, read_registry
from .tree import HOLDS_FILES, FolderReader
from .unit import LABEL, Unit, subject_of

# How many datasets are looked into at first; then twice as many, and so on.
FIRST = 16


@dataclass(frozen=True)
class InputCommit:
    """The input dataset at a commit, or a folder of it.

    `commit` names the commit, or the tree of that folder.  `repository` is the
    study's clone of it, `url` is where it comes from, and `memory` the folder
    where trees of its subdatasets are remembered.
    """

    repository: Path
    commit: str
    url: str
    memory: Path | None = None

    @cached_property
    def registry(self) -> Registry:
        """Where its subdatasets are found."""
        return read_registry(self.repository, self.commit, url=self.url)


@dataclass(frozen=True)
class Part:
    """A subdataset of the input that holds files of a unit.

    `inside` is the unit's folder in it, empty where all of it is the unit's;
    `beside` are the files there that the unit inherits.
    """

    subdataset: Subdataset
    inside: str
    beside: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Its path in the input dataset."""
        return self.subdataset.path

    @property
    def paths(self) -> list[str]:
        """The unit's files and folders in it, relative to it; empty for all of it."""
        return [self.inside, *self.beside] if self.inside else []

    @property
    def outer_paths(self) -> list[str]:
        """The same, relative to the input dataset."""
        return [f"{self.path}/{path}" for path in self.paths] or [self.path]


def input_commit(study: Study, commit: str) -> InputCommit:
    """The input dataset of a study at a commit."""
    return InputCommit(study.input, study.input_tree(commit), study.input_url, study.files.trees)


def look_inside(
    reader: FolderReader,
    given: InputCommit,
    *,
    wanted: Callable[[str], bool],
    files: bool,
    is_enough: Callable[[Collection[str]], bool],
) -> list[str]:
    """Add to a reader what datasets of some subjects hold; returns those that cannot be read.

    `wanted` says for a path whether its subject may be processed.  Without
    `files` only the names of sessions are needed, and only if units are
    sessions.  `is_enough` says, given the subjects that are still to be looked
    into, whether these do not matter.
    """
    trees: dict[str, SubdatasetTree] = {}
    unreadable: list[str] = []
    seen: set[str] = set()
    for size in (FIRST * 2**n for n in count()):
        waiting = sorted(
            path
            for path in reader.registered
            if path not in seen
            and (files or (reader.by_session and "/" not in path))
            and wanted(path)
        )
        if not waiting or is_enough({path.partition("/")[0] for path in waiting}):
            break
        waiting = waiting[:size]
        seen.update(waiting)
        found = read_trees(
            (locate(path, reader.registered[path], given, trees) for path in waiting),
            memory=given.memory,
        )
        for path in waiting:
            tree = found[path]
            if isinstance(tree, WorkflowFailure):
                reader.add_problem(path, f"{tree.message}; {tree.hint}")
                unreadable.append(path)
            else:
                trees[path] = tree
                reader.add_dataset(path, tree.entries)
    return unreadable


def note_unnamed(reader: FolderReader, given: InputCommit) -> set[str]:
    """Note the problem of datasets that `.gitmodules` of the input does not name; returns them.

    DataLad does not know them as subdatasets, so no rerun could fetch them.
    """
    unnamed = {path for path in reader.registered if path not in given.registry.modules}
    for path in unnamed:
        reader.add_problem(
            path,
            f"its dataset {path} is not named in .gitmodules; register it in the input: "
            f"git submodule add <url> {path}",
        )
    return unnamed


def locate(
    path: str, commit: str, given: InputCommit, trees: dict[str, SubdatasetTree]
) -> Subdataset:
    """A subdataset by its path in the input; `trees` has those that it may be nested in."""
    parts = path.split("/")
    for length in range(len(parts) - 1, 0, -1):
        outer = "/".join(parts[:length])
        if outer in trees:
            inner = path.removeprefix(f"{outer}/")
            return trees[outer].registry.locate(inner, commit, outer=outer)
    return given.registry.locate(path, commit)


def find_parts(given: InputCommit, unit: Unit) -> list[Part]:
    """The subdatasets of the input that hold files of a unit, without those nested in them."""
    registered = [entry for entry in subject_entries(given, unit) if entry.mode == SUBDATASET]
    return list(parts_in(registered, unit.folder, given.registry)) if registered else []


def subject_entries(given: InputCommit, unit: Unit) -> list[TreeEntry]:
    """The files and subdatasets of a unit's subject in the input itself; sizes are not read."""
    command = ["--literal-pathspecs", "ls-tree", "-r", "-z", given.commit, "--"]
    entries = []
    for record in call_git_records([*command, subject_of(unit.name)], cwd=given.repository):
        head, _, path = record.partition("\t")
        mode, _, object_id = head.split()
        entries.append(TreeEntry(path, mode, object_id, 0))
    return entries


def parts_in(
    entries: Iterable[TreeEntry], folder: str, registry: Registry, *, outer: str = ""
) -> Iterator[Part]:
    """The subdatasets among a dataset's entries that hold files of a unit.

    `folder` is the unit's folder in the dataset, empty where all of it is the
    unit's; `outer` is the dataset's own path in the input.
    """
    for entry in entries:
        path = entry.path
        if entry.mode != SUBDATASET:
            continue
        subdataset = registry.locate(path, entry.object_id, outer=outer)
        if not HOLDS_FILES.fullmatch(subdataset.path):
            continue
        if not folder or f"{path}/".startswith(f"{folder}/"):
            yield Part(subdataset, "")
        elif folder.startswith(f"{path}/"):
            yield Part(subdataset, folder.removeprefix(f"{path}/"))


def files_beside(entries: Iterable[TreeEntry]) -> tuple[str, ...]:
    """The files at the root of a subject's dataset, which its sessions inherit."""
    return tuple(
        entry.path
        for entry in entries
        if "/" not in entry.path
        and entry.mode not in (FOLDER, SUBDATASET)
        and not entry.path.startswith(".git")
    )


def list_unit_files(given: InputCommit, unit: Unit) -> list[str]:
    """The files of a unit in the input, those of its datasets included.

    Raises `WorkflowFailure` where a dataset is not remembered and cannot be read.
    """
    own = subject_entries(given, unit)
    files = [entry.path for entry in own if is_file_in(entry, unit.folder)]
    waiting: list[Part] = []
    if any(entry.mode == SUBDATASET for entry in own):
        waiting += parts_in(own, unit.folder, given.registry)
    while waiting:
        part = waiting.pop(0)
        tree = read_tree(part.subdataset, memory=given.memory)
        files += [f"{part.path}/{e.path}" for e in tree.entries if is_file_in(e, part.inside)]
        waiting += parts_in(tree.entries, part.inside, tree.registry, outer=part.path)
    return files


def is_file_in(entry: TreeEntry, folder: str) -> bool:
    """True for a file in a folder; an empty one is the dataset itself."""
    inside = not folder or entry.path.startswith(f"{folder}/")
    return inside and entry.mode not in (FOLDER, SUBDATASET)


def refuse_foreign(part: Part, unit: Unit, files: Iterable[str]) -> None:
    """Refuse a dataset that is no BIDS subject: none of the unit's files has the subject's name.

    Raises `WorkflowFailure`.
    """
    names = [path.rpartition("/")[2] for path in files]
    if any(re.match(f"sub-{re.escape(unit.subject)}_", name) for name in names):
        return
    others = sorted({m[0] for name in names if (m := re.match(f"sub-{LABEL}(?=_)", name))})
    found = f"only files of {a_few(others, 3)}" if others else f"{len(names)} file(s)"
    raise WorkflowFailure(
        f"{unit.name} has no file: its dataset {part.path} at {part.subdataset.commit[:10]} "
        f"({' or '.join(part.subdataset.urls)}) has no file with a BIDS name of "
        f"sub-{unit.subject}, {found}.",
        hint=f"register the right dataset or commit at {part.path}, or list {unit.subject!r} in "
        "subjects.exclude.",
    )
