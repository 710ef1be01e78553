"""What new results write, and what of main they would change.

Reading every merged unit would make a merge of ten units as slow as a merge of
all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..datasets.branches import Branch, Entry, Result
from .outlines import Outlines, ancestors, outline


class Contents(NamedTuple):
    """Unit -> what its new result writes; unit -> what main holds of it that matters to these."""

    new: dict[str, Branch]
    held: dict[str, Branch]


def read_contents(
    repository: Path,
    main: str,
    results: Sequence[Result],
    ledger: Mapping[str, Result],
    *,
    replaced: Iterable[str],
    apart: Collection[str],
) -> Contents:
    """What results write to a dataset, and what main holds at these places.

    Where main's tree lacks a path, no merged unit wrote it.  Of the units in
    `replaced`, which get a new result or none, all files matter; `apart` are
    subdatasets, which the merge registers itself.
    """
    old = [ledger[unit] for unit in replaced if unit in ledger]
    if not old:
        found = outline(repository, main, results, apart=apart)
        new = branches_of(results, found)
        if not contested_paths(new.values(), old=[], tree=found.main):
            return Contents(new, {})
    standing = [result for result in ledger.values() if result not in old]
    found = outline(repository, main, [*results, *old], standing=standing, apart=apart)
    new, outdated = branches_of(results, found), branches_of(old, found)
    paths = contested_paths(new.values(), old=outdated.values(), tree=found.main)
    held = (within(b, paths) for b in branches_of(ledger.values(), found).values())
    return Contents(new, {b.result.unit: b for b in held if b.files})


def branches_of(results: Iterable[Result], found: Outlines) -> dict[str, Branch]:
    """Unit -> its result with what it writes."""
    return {r.unit: Branch(r, found.written[r.commit], frozenset()) for r in results}


def within(branch: Branch, paths: Collection[str]) -> Branch:
    """A branch with only the files that are at some paths, or below them."""
    files = {
        path: entry
        for path, entry in branch.files.items()
        if path in paths or any(folder in paths for folder in ancestors(path))
    }
    return Branch(branch.result, files, branch.keys)


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
