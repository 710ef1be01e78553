"""What main holds, as far as newcomers touch it.

Reading the files of every merged unit at each merge would make ten new units
as dear as all before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..base.runners import call
from ..datasets.branches import Branch, Entry, Result, read_branches

# More than these are not named to git one by one: all is read.
PATHS_PER_COMMAND = 1000


def read_held(
    repository: Path,
    main: str,
    branches: list[Branch],
    ledger: Mapping[str, Result],
    *,
    replaced: Iterable[str],
    apart: Iterable[str],
) -> dict[str, Branch]:
    """Unit -> what main holds of it, with no more files than matter to these branches.

    Main's tree tells most: where it lacks a path, no merged unit wrote it.  Of
    the units of `replaced`, which get a new result or none, all files matter;
    `apart` are subdatasets, which the merge registers itself.
    """
    old = list(read_branches(repository, [ledger[unit] for unit in replaced if unit in ledger]))
    for branch in old:
        for path in apart:
            branch.files.pop(path, None)
    tree = read_tree(repository, main, {path for b in branches for path in b.files})
    paths = contested_paths(branches, old=old, tree=tree)
    if not paths:
        return {}
    found = read_branches(repository, ledger.values(), paths=few(paths))
    return {b.result.unit: b for b in found if b.files}


def contested_paths(
    branches: Iterable[Branch], *, old: Iterable[Branch], tree: Mapping[str, Entry]
) -> set[str]:
    """Paths of which it matters who wrote them.

    These are what a newcomer would change in main, and all files of a result
    that is replaced: some may stay because another unit has them too.  A file
    that main has just so changes nothing, whoever wrote it.
    """
    changed = {p for b in branches for p, entry in b.files.items() if tree.get(p, entry) != entry}
    return changed.union(*(b.files for b in old))


def read_tree(repository: Path, commit: str, paths: set[str]) -> dict[str, Entry]:
    """Path -> file of those of the paths that a commit has."""
    if not paths:
        return {}
    out = call(["git", "ls-tree", "-r", "-z", commit, "--", *few(paths)], cwd=repository)
    entries = {}
    for line in out.decode(errors="surrogateescape").split("\0")[:-1]:
        about, _, path = line.partition("\t")
        if path in paths:
            mode, _, blob = about.split()
            entries[path] = Entry(mode, blob)
    return entries


def few(paths: set[str]) -> list[str]:
    """The paths for a command line; none, for all, where they are too many."""
    return sorted(paths) if len(paths) <= PATHS_PER_COMMAND else []
