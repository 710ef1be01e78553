"""Write the commits of main by git plumbing: removals, scaffolding, results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.runners import call, call_git
from ..datasets.annex import SUBDATASET
from ..datasets.branches import REMOVED_TRAILER, Entry, is_ancestor
from ..datasets.trees import root_tree, write_tree
from .mains import Place, base_of

# A merge commit with more parents than this stalls graphical viewers.
PARENTS_PER_COMMIT = 1000


@dataclass(frozen=True)
class Change:
    """What one unit changes in a dataset; `commit` is its job commit there, if it has one."""

    unit: str
    commit: str | None
    files: Mapping[str, Entry | None]


def write_main(
    place: Place,
    *,
    removals: Sequence[Change],
    merges: Sequence[Change],
    links: Mapping[str, str],
) -> str:
    """Write the changes on top of a dataset's main; returns the commit, main where there are none.

    The job commits become parents, in chunks: each stays reachable, with its
    run record, when its branch is gone.  `links` are the commits to be
    registered of subdatasets.
    """
    repository, commit = place.target.dataset, place.start
    base = base_of(place.target)
    current = is_ancestor(repository, base, commit)
    moved = {p: link for p, link in links.items() if link_at(repository, commit, p) != link}
    if current and not removals and not merges and not moved:
        return commit
    tree = root_tree(repository, commit)
    registered: Mapping[str, Entry | None] = {
        path: Entry(SUBDATASET, link) for path, link in moved.items()
    }
    if not current:
        files = base_changes(repository, commit, base, without=links)
        tree = write_tree(repository, tree, {**files, **registered})
        message = "Update the study's scaffolding"
        commit = commit_tree(repository, tree, [commit, base], message)
    elif moved:
        tree = write_tree(repository, tree, registered)
    if removals:
        for change in removals:
            tree = write_tree(repository, tree, change.files)
        trailers = "\n".join(f"{REMOVED_TRAILER}: {change.unit}" for change in removals)
        message = f"Remove {len(removals)} unit(s) withdrawn from the input\n\n{trailers}"
        commit = commit_tree(repository, tree, [commit], message)
    for start in range(0, len(merges), PARENTS_PER_COMMIT):
        chunk = merges[start : start + PARENTS_PER_COMMIT]
        files = {path: entry for change in chunk for path, entry in change.files.items()}
        tree = write_tree(repository, tree, files)
        parents = [commit, *(change.commit for change in chunk if change.commit)]
        message = f"Merge {len(chunk)} unit(s): {chunk[0].unit} to {chunk[-1].unit}"
        commit = commit_tree(repository, tree, parents, message)
    if commit == place.start:
        commit = commit_tree(repository, tree, [commit], "Register new commits of subdatasets")
    return commit


def link_at(repository: Path, commit: str, path: str) -> str | None:
    """The commit of a subdataset that a tree registers at a path, or None."""
    entry = call_git(["ls-tree", commit, "--", path], cwd=repository)
    return entry.split()[2] if entry else None


def base_changes(
    repository: Path, main: str, base: str, *, without: Iterable[str]
) -> dict[str, Entry | None]:
    """What changed in the scaffolding since main was last brought up to it."""
    before = call_git(["merge-base", main, base], cwd=repository)
    out = call(
        ["git", "diff-tree", "-r", "-z", "--no-renames", before, base], cwd=repository
    ).decode(errors="surrogateescape")
    fields = iter(out.split("\0"))
    files: dict[str, Entry | None] = {}
    for text in fields:
        if text.startswith(":"):
            _, mode, _, blob, status = text.split()
            files[next(fields)] = None if status == "D" else Entry(mode, blob)
    return {path: entry for path, entry in files.items() if path not in without}


def commit_tree(repository: Path, tree: str, parents: list[str], message: str) -> str:
    """A commit of a tree."""
    flags = [flag for parent in parents for flag in ("-p", parent)]
    return call_git(["commit-tree", tree, *flags, "-F", "-"], cwd=repository, stdin=message)
