"""Job branches: their names, and the results at their tips.

The tip of a job branch is the run-record commit of one unit.  Its trailers name
the unit and the fingerprint of what it was made from.  They remain when the
branch is removed, since a merge makes the commit a parent of main.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import CommandError
from ..base.runners import call, call_git, call_git_lines, read_objects

UNIT_TRAILER = "Bidsloom-Unit"
FINGERPRINT_TRAILER = "Bidsloom-Fingerprint"
# In a commit of main that removes the files of units: one trailer for each unit.
REMOVED_TRAILER = "Bidsloom-Removed"
_FORMAT = (
    "%H%x00%(trailers:key={0},valueonly,separator=)%x00%(trailers:key={1},valueonly,separator=)"
)
RESULT_FORMAT = _FORMAT.format(UNIT_TRAILER, FINGERPRINT_TRAILER)
HISTORY_FORMAT = f"%P%x00%(trailers:key={REMOVED_TRAILER},valueonly,separator=%x20)"


@dataclass(frozen=True)
class Result:
    """The commit that holds one unit's results."""

    unit: str
    commit: str
    fingerprint: str


@dataclass(frozen=True)
class Entry:
    """A file in a tree."""

    mode: str
    blob: str


@dataclass(frozen=True)
class Branch:
    """A result with the files it adds, and those of them that are annexed."""

    result: Result
    files: dict[str, Entry]
    keys: frozenset[str]


def branch_name(app: str, unit: str) -> str:
    """The job branch of a unit."""
    return f"job/{app}/{unit}"


def read_results(repository: Path, commits: Iterable[str]) -> list[Result]:
    """The results among some commits, in their order; commits without trailers are left out."""
    commits = list(commits)
    if not commits:
        return []
    lines = call_git_lines(
        ["log", "--no-walk=unsorted", "--stdin", f"--format={RESULT_FORMAT}"],
        cwd=repository,
        stdin="\n".join(commits) + "\n",
    )
    found = [line.split("\0") for line in lines]
    return [Result(unit, commit, mark) for commit, unit, mark in found if unit and mark]


def read_branches(
    repository: Path, results: Iterable[Result], *, paths: Iterable[str] = ()
) -> Iterator[Branch]:
    """What each result adds to the commit it started from; with `paths`, only there."""
    results = list(results)
    if not results:
        return
    out = call(
        ["git", "--literal-pathspecs", "diff-tree", "--stdin", "-r", "-z", "--no-renames"]
        + ["--always", "--", *paths],
        cwd=repository,
        stdin="".join(f"{r.commit}\n" for r in results),
    )
    files: dict[str, dict[str, Entry]] = {r.commit: {} for r in results}
    fields = iter(out.decode(errors="surrogateescape").split("\0"))
    current: dict[str, Entry] = {}
    for text in fields:
        if text.startswith(":"):
            _, mode, _, blob, _ = text.split()
            current[next(fields)] = Entry(mode, blob)
        elif text.strip():
            current = files[text.strip()]
    links = sorted({e.blob for f in files.values() for e in f.values() if e.mode == "120000"})
    targets = dict(zip(links, read_objects(links, repository=repository), strict=True))
    for result in results:
        own = files[result.commit]
        keys = {
            os.fsdecode(targets[e.blob]).rpartition("/")[2]
            for e in own.values()
            if b"annex/objects/" in targets.get(e.blob, b"")
        }
        yield Branch(result, own, frozenset(keys))


def list_job_branches(repository: Path, prefix: str, app: str) -> list[Result]:
    """Results on job branches below a ref prefix, sorted by unit."""
    lines = call_git_lines(
        ["for-each-ref", "--format=%(objectname)", f"{prefix}job/{app}/"], cwd=repository
    )
    return sorted(read_results(repository, lines), key=lambda r: r.unit)


def read_ledger(repository: Path, main: str) -> dict[str, Result]:
    """Unit -> the result that main holds of it now; empty where there is no main.

    The merges of main are read from the newest to the oldest.  The first
    result of a unit is the one whose files are in main, unless a newer commit
    removed the unit.
    """
    try:
        lines = call_git_lines(
            ["log", "--first-parent", f"--format={HISTORY_FORMAT}", main], cwd=repository
        )
    except CommandError:
        return {}
    history = []
    for line in lines:
        hashes, _, units = line.partition("\0")
        history.append((hashes.split()[1:], units.split()))
    merged = [parent for parents, _ in history for parent in parents]
    results = {result.commit: result for result in read_results(repository, merged)}
    ledger: dict[str, Result | None] = {}
    for parents, removed in history:
        for unit in removed:
            ledger.setdefault(unit, None)
        for result in (results[parent] for parent in reversed(parents) if parent in results):
            ledger.setdefault(result.unit, result)
    return {unit: result for unit, result in ledger.items() if result}


def head_of(repository: Path, ref: str) -> str | None:
    """The commit that a ref points to; None where there is no such ref."""
    try:
        return call_git(["rev-parse", "--verify", "-q", f"{ref}^{{commit}}"], cwd=repository)
    except CommandError:
        return None
