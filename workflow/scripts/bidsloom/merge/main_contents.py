"""Files in main that new results would change.

Reading every merged unit would make a merge of ten units as slow as a merge of
all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ..base.runners import call
from ..datasets.branches import Branch, Entry, Result, read_branches

# Where there are more paths than this, git is not given their names: all are read.
PATHS_PER_COMMAND = 1000


def read_main_contents(
    repository: Path,
    main: str,
    branches: list[Branch],
    ledger: Mapping[str, Result],
    *,
    replaced: Iterable[str],
    apart: Collection[str],
) -> dict[str, Branch]:
    """Unit -> what main holds of it, with only the files that matter to these branches.

    Where main's tree lacks a path, no merged unit wrote it.  Of the units in
    `replaced`, which get a new result or none, all files matter; `apart` are
    subdatasets, which the merge registers itself.
    """
    results = [ledger[unit] for unit in replaced if unit in ledger]
    old = [without_paths(branch, apart) for branch in read_branches(repository, results)]
    tree = read_files_at(repository, main, {path for b in branches for path in b.files})
    paths = contested_paths(branches, old=old, tree=tree)
    if not paths:
        return {}
    found = read_branches(repository, ledger.values(), paths=few(paths))
    return {b.result.unit: b for b in found if b.files}


def without_paths(branch: Branch, paths: Collection[str]) -> Branch:
    """A branch without some of its files."""
    files = {path: entry for path, entry in branch.files.items() if path not in paths}
    return replace(branch, files=files)


def contested_paths(
    branches: Iterable[Branch], *, old: Iterable[Branch], tree: Mapping[str, Entry]
) -> set[str]:
    """Paths of which it matters who wrote them.

    These are the files that a new result would change in main, and all files of
    a result that is replaced: some stay because another unit has them too.  A
    file that main has with the same content changes nothing.
    """
    changed = {p for b in branches for p, entry in b.files.items() if tree.get(p, entry) != entry}
    return changed.union(*(b.files for b in old))


def read_files_at(repository: Path, commit: str, paths: set[str]) -> dict[str, Entry]:
    """Path -> file, for those of the paths that a commit has."""
    if not paths:
        return {}
    out = call(
        ["git", "--literal-pathspecs", "ls-tree", "-r", "-z", commit, "--", *few(paths)],
        cwd=repository,
    )
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
