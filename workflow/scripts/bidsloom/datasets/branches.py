"""Job branches: their names, and the results at their tips.

The tip of a job branch is the run-record commit of one unit.  Its trailers name
the unit and the fingerprint of what it was made from.  They remain when the
branch is removed, since a merge makes the commit a parent of main.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from ..base.errors import CommandError
from ..base.runners import call_git, call_git_lines, call_git_success, call_large, read_objects
from .annex import POINTER, POINTER_SIZE, SYMLINK, entry_key

UNIT_TRAILER = "Bidsloom-Unit"
FINGERPRINT_TRAILER = "Bidsloom-Fingerprint"
# In a commit of main that removes the files of units: one trailer for each unit.
REMOVED_TRAILER = "Bidsloom-Removed"
# In a commit of main that takes out an erased subject: its name.
ERASED_TRAILER = "Bidsloom-Erased"
# What a complete result was when the job ended, the app's exit code where it
# was not 0, and each reason why the result is not complete.
EXPECTS_TRAILER = "Bidsloom-Expects"
EXIT_TRAILER = "Bidsloom-Exit"
INCOMPLETE_TRAILER = "Bidsloom-Incomplete"
RESULT_FORMAT = "%H" + "".join(
    f"%x00%(trailers:key={key},valueonly,separator=%x1f)"
    for key in (
        UNIT_TRAILER,
        FINGERPRINT_TRAILER,
        EXPECTS_TRAILER,
        EXIT_TRAILER,
        INCOMPLETE_TRAILER,
    )
)
# At most this many reasons are kept in a commit.
REASONS = 20
HISTORY_FORMAT = f"%P%x00%(trailers:key={REMOVED_TRAILER},valueonly,separator=%x20)"


class BranchKind(StrEnum):
    """What a branch of a unit means."""

    JOB = "job"  # a result to be merged
    INCOMPLETE = "incomplete"  # a result that is not complete, to be looked at
    ACCEPTED = "accepted"  # a result that somebody accepted as it is
    JOINED = "joined"  # several results, which a job of another study reads together


# The branches that hold results.
RESULT_BRANCHES = (BranchKind.JOB, BranchKind.INCOMPLETE)


@dataclass(frozen=True)
class Result:
    """The commit that holds one unit's results.

    `reasons` say why it is not complete, by the definition that `expects` is a
    digest of; `exit_code` is the app's.
    """

    unit: str
    commit: str
    fingerprint: str
    expects: str = ""
    exit_code: int = 0
    reasons: tuple[str, ...] = ()


class Entry(NamedTuple):
    """A file in a tree; a tuple, since a merge compares millions of them."""

    mode: str
    blob: str


@dataclass(frozen=True)
class Branch:
    """A result with the files it adds, and those of them that are annexed."""

    result: Result
    files: dict[str, Entry]
    keys: frozenset[str]


def format_trailers(
    unit: str,
    fingerprint: str,
    *,
    expects: str = "",
    exit_code: int = 0,
    reasons: Sequence[str] = (),
) -> str:
    """The trailers at the end of a result's commit message."""
    lines = [f"{UNIT_TRAILER}: {unit}", f"{FINGERPRINT_TRAILER}: {fingerprint}"]
    if expects:
        lines.append(f"{EXPECTS_TRAILER}: {expects}")
    if exit_code:
        lines.append(f"{EXIT_TRAILER}: {exit_code}")
    kept = [*reasons[:REASONS]]
    if len(reasons) > REASONS:
        kept.append(f"and {len(reasons) - REASONS} more")
    lines += [f"{INCOMPLETE_TRAILER}: {' '.join(reason.split())}" for reason in kept]
    return "\n".join(lines) + "\n"


def branch_name(app: str, unit: str, kind: BranchKind = BranchKind.JOB) -> str:
    """The branch of a unit."""
    return f"{kind}/{app}/{unit}"


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
    return [
        Result(
            unit,
            commit,
            mark,
            expects=expects,
            exit_code=int(code) if code.isdigit() else 0,
            reasons=tuple(filter(None, reasons.split("\x1f"))),
        )
        for commit, unit, mark, expects, code, reasons in found
        if unit and mark
    ]


def read_branches(repository: Path, results: Iterable[Result]) -> Iterator[Branch]:
    """What each result adds to the commit it started from, with the keys of its annexed files.

    All files of these results are in memory together.
    """
    results = list(results)
    files = read_files(repository, results)
    contents = read_stand_ins(repository, (e for f in files.values() for e in f.values()))
    for result in results:
        own = files[result.commit]
        keys = (entry_key(e.mode, contents[e.blob]) for e in own.values() if e.blob in contents)
        yield Branch(result, own, frozenset(filter(None, keys)))


def read_files(repository: Path, results: Iterable[Result]) -> dict[str, dict[str, Entry]]:
    """Commit of each result -> the files that it adds to the commit it started from."""
    files: dict[str, dict[str, Entry]] = {r.commit: {} for r in results}
    if not files:
        return files
    out = call_large(
        ["git", "diff-tree", "--stdin", "-r", "-z", "--no-renames", "--always"],
        cwd=repository,
        stdin="".join(f"{commit}\n" for commit in files),
    )
    fields = iter(out.decode(errors="surrogateescape").split("\0"))
    current: dict[str, Entry] = {}
    for text in fields:
        if text.startswith(":"):
            _, mode, _, blob, _ = text.split()
            current[next(fields)] = Entry(mode, blob)
        elif text.strip():
            current = files[text.strip()]
    return files


def read_stand_ins(repository: Path, entries: Iterable[Entry]) -> dict[str, bytes]:
    """Blob -> content of all that may stand for an annexed file: links, and small files."""
    links: set[str] = set()
    files: set[str] = set()
    for entry in entries:
        (links if entry.mode == SYMLINK else files).add(entry.blob)
    small = small_blobs(sorted(files), repository=repository, limit=POINTER_SIZE)
    names = [*sorted(links), *small]
    found = zip(names, read_objects(names, repository=repository), strict=True)
    return {name: text for name, text in found if name in links or text.startswith(POINTER)}


def small_blobs(names: list[str], *, repository: Path, limit: int) -> list[str]:
    """Those of some objects that are blobs of less than `limit` bytes."""
    out = call_large(
        ["git", "cat-file", "--batch-check=%(objectsize) %(objecttype)", "--buffer"],
        cwd=repository,
        stdin="".join(f"{name}\n" for name in names),
    )
    # Of an object that is missing, the line is its name and that word.
    found = zip(names, (line.split() for line in out.decode().splitlines()), strict=True)
    return [name for name, (size, kind) in found if kind == "blob" and int(size) < limit]


def list_results(
    repository: Path, prefix: str, app: str, kind: BranchKind = BranchKind.JOB
) -> list[Result]:
    """Results on the branches of a kind below a ref prefix, sorted by unit."""
    heads = list_heads(repository, prefix, app, kind)
    return sorted(read_results(repository, heads.values()), key=lambda r: r.unit)


def list_heads(repository: Path, prefix: str, app: str, kind: BranchKind) -> dict[str, str]:
    """Unit -> commit of its branch of a kind, below a ref prefix."""
    folder = f"{prefix}{branch_name(app, '', kind)}"
    lines = call_git_lines(
        ["for-each-ref", "--format=%(refname) %(objectname)", folder], cwd=repository
    )
    heads = (line.split(" ") for line in lines)
    return {ref.removeprefix(folder): commit for ref, commit in heads}


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


def read_erased(repository: Path, main: str) -> set[str]:
    """The subjects that were erased from main; none where there is no main."""
    command = ["log", "--first-parent", f"--grep=^{ERASED_TRAILER}: "]
    command.append(f"--format=%(trailers:key={ERASED_TRAILER},valueonly,separator=%x20)")
    try:
        lines = call_git_lines([*command, main], cwd=repository)
    except CommandError:
        return set()
    return {subject for line in lines for subject in line.split()}


def is_ancestor(repository: Path, commit: str, of: str) -> bool:
    """True where a commit is in another one's history."""
    return call_git_success(["merge-base", "--is-ancestor", commit, of], cwd=repository)


def head_of(repository: Path, ref: str) -> str | None:
    """The commit that a ref points to; None where there is no such ref."""
    try:
        return call_git(["rev-parse", "--verify", "-q", f"{ref}^{{commit}}"], cwd=repository)
    except CommandError:
        return None
