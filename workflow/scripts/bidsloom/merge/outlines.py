"""What results change in a dataset, in as few entries as can be compared.

A folder that one unit alone writes to is one entry, its tree: no other unit can
have a file there, and main takes the tree as it is.  Only the folders that
several units write to, or that main holds otherwise, are opened.  So the cost
grows with the units and the folders that they share, not with their files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..base.batching import in_batches
from ..base.runners import call_git_lines
from ..datasets.annex import FOLDER
from ..datasets.branches import Entry, Result
from ..datasets.trees import TREES_PER_READ, read_trees


class Change(NamedTuple):
    """What a result has at a path, and what the commit had that it started from.

    `active` are results that are to be merged, or whose files are to be replaced.
    """

    result: Result
    active: bool
    own: Entry | None
    base: Entry | None


class Outlines(NamedTuple):
    """Commit of a result -> path -> what it writes there; path -> what main holds there."""

    written: dict[str, dict[str, Entry]]
    main: dict[str, Entry]


def outline(
    repository: Path,
    main: str,
    results: Sequence[Result],
    *,
    standing: Sequence[Result] = (),
    apart: Collection[str] = (),
) -> Outlines:
    """The outlines of results, and of the `standing` ones as far as these share folders with them.

    Each unit has at most one result in each of both.  `apart` are paths that
    the merge writes itself.
    """
    found = Outlines({r.commit: {} for r in [*results, *standing]}, {})
    closed = {"", *(folder for path in apart for folder in ancestors(path))}
    roots = read_roots(repository, main, found.written)
    level = {"": [*changes_of(results, roots, True), *changes_of(standing, roots, False)]}
    mains: dict[str, Entry | None] = {"": Entry(FOLDER, roots[main][0])}
    while level:
        opened: dict[str, list[Change]] = {}
        for path, changes in level.items():
            if path in apart or not any(change.active for change in changes):
                continue
            if path not in closed and is_whole(changes, mains[path]):
                note(found, path, mains[path], {c.result.commit: c.own for c in changes if c.own})
                continue
            leaves = {c.result.commit: leaf for c in changes if (leaf := leaf_of(c))}
            if leaves:
                note(found, path, mains[path], leaves)
            if folders := [c for c in changes if is_folder(c.own) or is_folder(c.base)]:
                opened[path] = folders
        level, mains = open_folders(repository, opened, mains)
    return found


def changes_of(
    results: Iterable[Result], roots: Mapping[str, tuple[str, list[str]]], active: bool
) -> Iterator[Change]:
    """The changes of the root; a commit that has not one parent adds nothing."""
    for result in results:
        tree, parents = roots[result.commit]
        if len(parents) == 1:
            base = Entry(FOLDER, roots[parents[0]][0])
            yield Change(result, active, Entry(FOLDER, tree), base)


def read_roots(
    repository: Path, main: str, commits: Iterable[str]
) -> dict[str, tuple[str, list[str]]]:
    """Commit -> its tree and its parents; of main, of some commits, and of their parents."""
    found = read_commits(repository, [main, *commits])
    parents = {parent for _, parents in found.values() for parent in parents}
    return found | read_commits(repository, parents - found.keys())


def read_commits(repository: Path, commits: Iterable[str]) -> dict[str, tuple[str, list[str]]]:
    """Commit -> its tree and its parents."""
    stdin = "".join(f"{commit}\n" for commit in commits)
    if not stdin:
        return {}
    lines = call_git_lines(
        ["log", "--no-walk=unsorted", "--stdin", "--format=%H %T %P"],
        cwd=repository,
        stdin=stdin,
    )
    return {words[0]: (words[1], words[2:]) for words in map(str.split, lines)}


def is_whole(changes: Sequence[Change], main: Entry | None) -> bool:
    """True where a folder is wholly of one unit, and main holds nothing else of it."""
    return (
        len({change.result.unit for change in changes}) == 1
        and all(change.base is None and is_folder(change.own) for change in changes)
        and (main is None or any(change.own == main for change in changes))
    )


def is_folder(entry: Entry | None) -> bool:
    """True for a folder."""
    return entry is not None and entry.mode == FOLDER


def leaf_of(change: Change) -> Entry | None:
    """The file that a result writes at a path, or removes there (mode 0); None for a folder."""
    if change.own is None:
        base = change.base
        gone = base is not None and base.mode != FOLDER
        return Entry("000000", "0" * len(base.blob)) if base and gone else None
    return None if change.own.mode == FOLDER else change.own


def note(found: Outlines, path: str, main: Entry | None, written: Mapping[str, Entry]) -> None:
    """Add what results write at a path to their outlines."""
    if main is not None:
        found.main[path] = main
    for commit, entry in written.items():
        found.written[commit][path] = entry


def open_folders(
    repository: Path, opened: Mapping[str, list[Change]], mains: Mapping[str, Entry | None]
) -> tuple[dict[str, list[Change]], dict[str, Entry | None]]:
    """The changes in some folders, and what main has there."""
    level: dict[str, list[Change]] = {}
    below: dict[str, Entry | None] = {}
    pairs = ((path, change) for path, changes in opened.items() for change in changes)
    for batch in in_batches(pairs, TREES_PER_READ):
        held = {path: mains[path] for path, _ in batch}
        entries = [*held.values(), *(e for _, c in batch for e in (c.own, c.base))]
        trees = read_trees(repository, (e.blob for e in entries if e and e.mode == FOLDER))

        def inside(entry: Entry | None, trees: Mapping = trees) -> Mapping[str, Entry]:
            return trees[entry.blob] if entry and entry.mode == FOLDER else {}

        for path, change in batch:
            own, base = inside(change.own), inside(change.base)
            for name in own.keys() | base.keys():
                if own.get(name) != base.get(name):
                    child = f"{path}/{name}" if path else name
                    part = change._replace(own=own.get(name), base=base.get(name))
                    level.setdefault(child, []).append(part)
                    below[child] = inside(held[path]).get(name)
    return level, below


def ancestors(path: str) -> Iterator[str]:
    """The folders above a path, without the root."""
    while path := path.rpartition("/")[0]:
        yield path
