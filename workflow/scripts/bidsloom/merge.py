"""Weave job branches into main: look, decide, do.

Every object a branch introduces is looked for in the store before anything is
published.  What is complete and free of conflicts is merged, the rest stays on
its branch and is named; doing it again goes on from there.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from .branches import Branch, Entry, head_of, list_job_branches, read_branches, read_ledger
from .clones import fetch_output
from .config import Study
from .errors import CommandError, FailureClass, WorkflowFailure
from .held import read_held
from .locations import publish_locations
from .locks import exclusive, locked, push_refs
from .records import add_attempt, write_tsv
from .runners import call, call_git
from .stores import BASE, MAIN, REMOTE, Store, last_line, missing_keys, output_store, store_uuid
from .tidy import remove_branches

# A merge commit with more parents than this stalls graphical viewers.
PARENTS_PER_COMMIT = 1000

REMOTE_MAIN = f"refs/remotes/{REMOTE}/{MAIN}"
REMOTE_BASE = f"refs/remotes/{REMOTE}/{BASE}"


@dataclass
class Weave:
    """What a merge would do: files to write and to remove, and units left out."""

    merged: list[Branch] = field(default_factory=list)
    written: list[dict[str, Entry | None]] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def merge_branches(study: Study) -> dict:
    """Merge every finished job branch into main, verified and published.

    Gives the merged units, and unit -> reason of those left unmerged.  A unit
    whose content never arrived loses its record, so that the next run computes
    it again.
    """
    store = output_store(study)
    with locked(study.lock_file), exclusive(study):
        fetch_output(study)
        main = head_of(study.dataset, REMOTE_MAIN)
        if main is None:
            raise WorkflowFailure(
                f"The output store {store.url} has no branch main.",
                hint="run `snakemake prepare_study` first.",
            )
        prefix = f"refs/remotes/{REMOTE}/"
        results = list_job_branches(study.dataset, prefix, study.container.name)
        ledger = read_ledger(study.dataset, REMOTE_MAIN)
        known = {unit: result.fingerprint for unit, result in ledger.items()}
        superfluous = [r for r in results if known.get(r.unit) == r.fingerprint]
        fresh = [r for r in results if known.get(r.unit) != r.fingerprint]
        branches = list(read_branches(study.dataset, fresh))
        missing = missing_keys(
            store, {key for b in branches for key in b.keys}, dataset=study.dataset
        )
        incomplete = {b.result.unit: b.keys & missing for b in branches if b.keys & missing}
        whole = [b for b in branches if b.result.unit not in incomplete]
        held = read_held(study.dataset, main, whole, ledger)
        weave = decide(whole, held=held, shared=shared_patterns(study))
        for unit, keys in incomplete.items():
            weave.left[unit] = f"content missing in the store: {', '.join(sorted(keys)[:3])}"
        commit = write_commits(study.dataset, main, weave)
        if commit != main:
            keys = {key for b in weave.merged for key in b.keys}
            publish(study, store, commit, main=main, keys=keys)
        tidy = [b.result for b in weave.merged] + superfluous
        if tidy:
            remove_branches(study, store, tidy)
    forget_incomplete(study, incomplete)
    rows = [{"unit": unit, "reason": reason} for unit, reason in sorted(weave.left.items())]
    write_tsv(study.results / "unmerged.tsv", ["unit", "reason"], rows)
    return {
        "main": commit,
        "merged_now": sorted(b.result.unit for b in weave.merged),
        "merged": sorted({*ledger, *(b.result.unit for b in weave.merged)}),
        "unmerged": weave.left,
    }


def shared_patterns(study: Study) -> list[str]:
    """Patterns, relative to the dataset, of files that every unit may write."""
    return [f"{out}/{pattern}" for out in study.container.outputs for pattern in study.shared_files]


# --- decide -----------------------------------------------------------------


def decide(branches: list[Branch], *, held: dict[str, Branch], shared: list[str]) -> Weave:
    """Which branches are merged, and what that writes.

    `held` is what main holds of each unit.  A unit's new result replaces its
    old one whole.  Where two units wrote one path with different content, the
    first unit's stays if the path is shared, so that the outcome does not
    depend on who finished first; any other such path leaves the newcomers out.
    """
    weave = Weave()
    owners = by_path([*held.values(), *branches])
    for branch in branches:
        unit = branch.result.unit
        for path, entry in sorted(branch.files.items()):
            others = {
                b.result.unit
                for b in owners[path]
                if b.result.unit != unit and b.files[path] != entry
            }
            if others and not any(fnmatchcase(path, pattern) for pattern in shared):
                weave.left[unit] = f"conflict: {path} was also written by {names(others)}"
                break
    weave.merged = [b for b in branches if b.result.unit not in weave.left]
    merged = {b.result.unit for b in weave.merged}
    standing = by_path([*(b for unit, b in held.items() if unit not in merged), *weave.merged])
    for branch in weave.merged:
        old = held.get(branch.result.unit)
        gone = [path for path in old.files if path not in standing] if old else []
        written: dict[str, Entry | None] = dict.fromkeys(gone)
        for path in branch.files:
            first = min(standing[path], key=lambda b: b.result.unit)
            written[path] = first.files[path]
        weave.written.append(written)
    return weave


def by_path(branches: list[Branch]) -> dict[str, list[Branch]]:
    """Path -> the branches that hold a file there."""
    owners: dict[str, list[Branch]] = {}
    for branch in branches:
        for path in branch.files:
            owners.setdefault(path, []).append(branch)
    return owners


def names(units: set[str]) -> str:
    """A few units by name, the others by number."""
    listed = sorted(units)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more


# --- do ---------------------------------------------------------------------


def write_commits(repository: Path, main: str, weave: Weave) -> str:
    """Main with the weave on top; main itself where there is nothing to add.

    The job commits become parents, in chunks: each stays reachable, with its
    run record, when its branch is gone.
    """
    base = head_of(repository, REMOTE_BASE)
    current = is_ancestor(repository, base, main)
    if current and not weave.merged:
        return main
    index = repository / ".git" / f"bidsloom-index-{os.getpid()}"
    env = {"GIT_INDEX_FILE": str(index)}
    try:
        call_git(["read-tree", main], cwd=repository, env=env)
        commit = main
        if not current:
            commit = take_in_base(repository, commit, base, env)
        for start in range(0, len(weave.merged), PARENTS_PER_COMMIT):
            chunk = weave.merged[start : start + PARENTS_PER_COMMIT]
            lines = []
            for written in weave.written[start : start + PARENTS_PER_COMMIT]:
                lines.extend(index_line(path, entry) for path, entry in written.items())
            update_index(repository, lines, env)
            parents = [commit, *(b.result.commit for b in chunk)]
            units = [b.result.unit for b in chunk]
            message = f"Merge {len(units)} unit(s): {units[0]} to {units[-1]}"
            commit = commit_tree(repository, parents, message, env)
        return commit
    finally:
        with contextlib.suppress(FileNotFoundError):
            index.unlink()


def take_in_base(repository: Path, main: str, base: str, env: dict[str, str]) -> str:
    """Main with the scaffolding brought up to date; results stay as they are."""
    before = call_git(["merge-base", main, base], cwd=repository)
    out = call(
        ["git", "diff-tree", "-r", "-z", "--no-renames", before, base], cwd=repository
    ).decode(errors="surrogateescape")
    fields = iter(out.split("\0"))
    lines = []
    for text in fields:
        if text.startswith(":"):
            _, mode, _, blob, status = text.split()
            entry = None if status == "D" else Entry(mode, blob)
            lines.append(index_line(next(fields), entry))
    update_index(repository, lines, env)
    return commit_tree(repository, [main, base], "Update the study's scaffolding", env)


def index_line(path: str, entry: Entry | None) -> str:
    """A line for `update-index --index-info`; no entry removes the path."""
    return f"{entry.mode} {entry.blob}\t{path}" if entry else f"0 {'0' * 40}\t{path}"


def update_index(repository: Path, lines: list[str], env: dict[str, str]) -> None:
    """Write files into the index named in `env`."""
    stdin = "".join(f"{line}\0" for line in lines).encode(errors="surrogateescape")
    call_git(["update-index", "-z", "--index-info"], cwd=repository, stdin=stdin, env=env)


def commit_tree(repository: Path, parents: list[str], message: str, env: dict[str, str]) -> str:
    """A commit of the index named in `env`."""
    tree = call_git(["write-tree"], cwd=repository, env=env)
    flags = [flag for parent in parents for flag in ("-p", parent)]
    return call_git(["commit-tree", tree, *flags, "-m", message], cwd=repository)


def is_ancestor(repository: Path, commit: str, of: str) -> bool:
    """True where a commit is in another one's history."""
    return call_git(["merge-base", commit, of], cwd=repository) == commit


def publish(study: Study, store: Store, commit: str, *, main: str, keys: set[str]) -> None:
    """Publish location logs of the keys, then main, unless somebody else wrote main meanwhile."""
    dataset = study.dataset
    try:
        if keys:
            publish_locations(dataset, keys, store_uuid(store, dataset))
        lease = f"--force-with-lease=refs/heads/{MAIN}:{main}"
        push_refs([lease, REMOTE, f"{commit}:refs/heads/{MAIN}"], cwd=dataset)
    except CommandError as e:
        raise WorkflowFailure(
            f"main cannot be published to {store.url}: {last_line(e.stderr)}",
            hint="check that the store is writable and has space, then run `snakemake merge`; "
            "every result is safe on its job branch.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e


def forget_incomplete(study: Study, incomplete: dict[str, frozenset[str]]) -> None:
    """Make units whose content never arrived due again, and note why."""
    for unit, keys in incomplete.items():
        (study.results / "jobs" / f"{unit}.json").unlink(missing_ok=True)
        add_attempt(
            study.results / "attempts",
            unit,
            {
                "unit": unit,
                "failure_class": FailureClass.STORE_UNAVAILABLE.value,
                "message": f"{len(keys)} annexed file(s) of {unit} are not in the output store.",
                "hint": "run snakemake again; the unit is computed anew.",
            },
        )
