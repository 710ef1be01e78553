"""What a commit of a subdataset holds: its files by name, read without their content.

A commit never changes, so each is read once, and remembered below
`results/<study>/`.  A dataset on a mounted file system is read where it lies;
of any other one commit is fetched, without large files.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.files import read_json, remove_tree, write_text
from ..base.runners import call_git, call_git_records, call_git_success, read_objects
from ..config.values import local_path
from .annex import SYMLINK, key_size
from .stores import git_address
from .subdatasets import Registry, Subdataset, read_registry, unreachable

# How many datasets are read at the same time: most of the time is spent waiting.
AT_ONCE = 8
# Larger files are not fetched; nothing but their names is read.
SMALL = "100k"


@dataclass(frozen=True)
class TreeEntry:
    """A file, folder or subdataset of a commit; `size` of an annexed file comes from its key."""

    path: str
    mode: str
    object_id: str
    size: int


@dataclass(frozen=True)
class SubdatasetTree:
    """What a commit of a subdataset holds, and where its own subdatasets are found."""

    entries: tuple[TreeEntry, ...]
    registry: Registry


def read_trees(
    subdatasets: Iterable[Subdataset], *, memory: Path | None
) -> dict[str, SubdatasetTree | WorkflowFailure]:
    """Path of each subdataset -> what it holds, or why that cannot be read.

    `memory` is the folder where trees are remembered, if anywhere.
    """
    subdatasets = list(subdatasets)
    found: dict[str, SubdatasetTree | WorkflowFailure] = {
        each.path: known for each in subdatasets if (known := recall(each.commit, memory=memory))
    }
    unknown = [each for each in subdatasets if each.path not in found]

    def read(subdataset: Subdataset) -> SubdatasetTree | WorkflowFailure:
        try:
            return read_tree(subdataset, memory=memory)
        except WorkflowFailure as e:
            return e

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found |= zip((each.path for each in unknown), pool.map(read, unknown), strict=True)
    return found


def read_tree(subdataset: Subdataset, *, memory: Path | None) -> SubdatasetTree:
    """What a subdataset holds at its registered commit, from memory if it was read before.

    Raises `WorkflowFailure` where no URL has the commit.
    """
    if known := recall(subdataset.commit, memory=memory):
        return known
    said: dict[str, str] = {}
    for url in subdataset.urls:
        try:
            return read_tree_at(url, subdataset.commit, memory=memory)
        except CommandError as e:
            said[url] = e.stderr
    raise unreachable(subdataset, said)


def read_tree_at(url: str, commit: str, *, memory: Path | None) -> SubdatasetTree:
    """What a commit holds of the dataset at a URL.

    Raises `CommandError` where it cannot be read there.
    """
    path = local_path(git_address(url))
    if path is not None:
        return remember(find_git_dir(path), commit, url=url, memory=memory)
    with tempfile.TemporaryDirectory(prefix="bidsloom-tree-") as folder:
        repository = Path(folder)
        try:
            fetch_commit(repository, git_address(url), commit)
            return remember(repository, commit, url=url, memory=memory)
        finally:
            # What git still does in the background must not hold up the removal.
            remove_tree(repository)
            repository.mkdir()


def find_git_dir(path: Path) -> Path:
    """The git directory of a dataset: itself, or in its work tree, or where a file there says.

    Raises `CommandError` where there is none; a folder inside of a dataset is none.
    """
    inside = path / ".git"
    if inside.is_file():
        named = inside.read_text().removeprefix("gitdir:").strip()
        inside = path / named
    for git_dir in (inside, path):
        if (git_dir / "HEAD").exists() and (git_dir / "objects").is_dir():
            return git_dir
    what = "is not a git repository" if path.is_dir() else "does not exist"
    raise CommandError(["git", "rev-parse"], str(path), 128, f"fatal: {path} {what}")


def fetch_commit(repository: Path, url: str, commit: str) -> None:
    """Fetch one commit into a new bare repository, as little of it as the server allows.

    Raises `CommandError` where that fails.
    """
    call_git(["init", "-q", "--bare", "."], cwd=repository)
    call_git(["config", "remote.origin.url", url], cwd=repository)
    fetch = ["fetch", "-q", "--no-tags", "--no-recurse-submodules"]
    light = ["--depth", "1", f"--filter=blob:limit={SMALL}"]
    fetched = call_git_success([*fetch, *light, "origin", commit], cwd=repository)
    # With these settings git would fetch each large file to learn its size, and
    # never end where the server cannot send single objects.
    for setting in ("remote.origin.promisor", "remote.origin.partialclonefilter"):
        call_git_success(["config", "--unset-all", setting], cwd=repository)
    if not fetched:
        # A server that only has files knows no part of a repository.
        every = "+refs/heads/*:refs/remotes/origin/*"
        call_git([*fetch, "origin", every], cwd=repository)
        if not call_git_success(["cat-file", "-e", f"{commit}^{{commit}}"], cwd=repository):
            call_git([*fetch, "origin", commit], cwd=repository)


def remember(repository: Path, commit: str, *, url: str, memory: Path | None) -> SubdatasetTree:
    """What a repository holds at a commit of the dataset that comes from a URL, kept for later.

    Raises `CommandError` where the repository does not have the commit.
    """
    entries = tuple(list_entries(repository, commit))
    registry = Registry(url)
    if any(entry.path == ".gitmodules" for entry in entries):
        registry = read_registry(repository, commit, url=url)
    if memory is not None:
        value = {
            "url": registry.url,
            "modules": registry.modules,
            "templates": registry.templates,
            "entries": [[e.path, e.mode, e.object_id, e.size] for e in entries],
        }
        write_text(memory_file(memory, commit), json.dumps(value, separators=(",", ":")))
    return SubdatasetTree(entries, registry)


def list_entries(repository: Path, commit: str, paths: Sequence[str] = ()) -> Iterator[TreeEntry]:
    """Every file, folder and subdataset of a commit, or of some of its paths."""
    command = ["--literal-pathspecs", "ls-tree", "-r", "-t", "-l", "-z", commit, "--", *paths]
    found, links = [], []
    for record in call_git_records(command, cwd=repository):
        head, _, path = record.partition("\t")
        mode, _, object_id, length = head.split()
        found.append((path, mode, object_id, int(length) if length.isdigit() else 0))
        if mode == SYMLINK:
            links.append(object_id)
    targets = read_objects(links, repository=repository)
    for path, mode, object_id, size in found:
        if mode == SYMLINK:
            size = key_size(os.path.basename(os.fsdecode(next(targets))))
        yield TreeEntry(path, mode, object_id, size)


def recall(commit: str, *, memory: Path | None) -> SubdatasetTree | None:
    """What was remembered of a commit; None where nothing was."""
    value = read_json(memory_file(memory, commit)) if memory else None
    if value is None:
        return None
    return SubdatasetTree(
        tuple(TreeEntry(*entry) for entry in value["entries"]),
        Registry(value["url"], value["modules"], tuple(value["templates"])),
    )


def memory_file(memory: Path, commit: str) -> Path:
    """Where a commit is remembered."""
    return memory / commit[:2] / f"{commit}.json"
