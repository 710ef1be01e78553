"""Main as a merge finds it, writes it and publishes it.

With outputs that are datasets of their own there is a main in each store, and
that of the output dataset decides: it registers one commit of every other.
The others' commits are therefore pushed first, to a branch of their own, then
the main of the output dataset, and only then theirs.  Whoever dies in between
leaves either all of a merge or nothing; the next merge makes up for the rest.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .announced import Announced
from .bids import SUBDATASET
from .branches import REMOVED_TRAILER, Entry, Result, head_of, read_ledger
from .errors import CommandError, FailureClass, WorkflowFailure
from .locations import publish_locations
from .locks import push_refs
from .runners import call, call_git
from .stores import BASE, MAIN, REMOTE, last_line, store_uuid
from .targets import Target

# A merge commit with more parents than this stalls graphical viewers.
PARENTS_PER_COMMIT = 1000

# Holds a subdataset's new main until the output dataset registers it.
MERGING = "merging"

REMOTE_MAIN = f"refs/remotes/{REMOTE}/{MAIN}"
REMOTE_BASE = f"refs/remotes/{REMOTE}/{BASE}"


@dataclass(frozen=True)
class Place:
    """A dataset as a merge finds it.

    `main` is what its store has, `start` what the merge builds upon: for a
    subdataset what the output dataset registers, or what was added to that
    since.  `ledger` tells what `start` holds of each unit.
    """

    target: Target
    main: str
    start: str
    ledger: Mapping[str, Result]

    @property
    def path(self) -> str:
        """Its place in the output dataset."""
        return self.target.path


@dataclass(frozen=True)
class Change:
    """What one unit changes in a dataset; `commit` is its job commit there, if it has one."""

    unit: str
    commit: str | None
    files: Mapping[str, Entry | None]


# --- look ---------------------------------------------------------------------


def find_places(targets: Sequence[Target]) -> list[Place]:
    """Every dataset's main; the output dataset comes last."""
    *further, output = targets
    main = main_of(output)
    places = []
    for target in further:
        there = main_of(target)
        start = find_start(target, there, registered=registered_link(output, main, target.path))
        places.append(Place(target, there, start, read_ledger(target.dataset, start)))
    return [*places, Place(output, main, main, read_ledger(output.dataset, main))]


def main_of(target: Target) -> str:
    """The commit of main in a store."""
    main = head_of(target.dataset, REMOTE_MAIN)
    if main is None:
        raise WorkflowFailure(
            f"The output store {target.store.url} has no branch main.",
            hint="run `snakemake prepare_study` first.",
        )
    return main


def registered_link(output: Target, main: str, path: str) -> str:
    """The commit of a subdataset that main registers, or base where main does not yet.

    Raises `WorkflowFailure` where main has files there: they would be lost.
    """
    for commit in (main, head_of(output.dataset, REMOTE_BASE)):
        entry = call_git(["ls-tree", commit, "--", path], cwd=output.dataset)
        if entry:
            mode, _, name = entry.partition("\t")[0].split()
            if mode == SUBDATASET:
                return name
            break
    raise WorkflowFailure(
        f"The output {path} lies in the output dataset {output.store.url} itself, not in a "
        "dataset of its own.",
        hint="take its repo out of the config, or give the study a new output store.",
    )


def find_start(target: Target, main: str, *, registered: str) -> str:
    """What a merge builds upon in a subdataset.

    That is what the output dataset registers; where somebody added to it, what
    they added.  A store that is behind is brought forward by the merge.

    Raises `WorkflowFailure` where the two have parted.
    """
    if head_of(target.dataset, registered):
        if is_ancestor(target.dataset, main, registered):
            return registered
        if is_ancestor(target.dataset, registered, main):
            return main
    raise WorkflowFailure(
        f"main of {target.store.url} is not what the output dataset registers at {target.path}: "
        f"{registered[:10]} is missing there, or was parted from.",
        hint=f"bring that commit into its main (git merge {registered[:10]}), then merge again.",
    )


def is_ancestor(repository: Path, commit: str, of: str) -> bool:
    """True where a commit is in another one's history."""
    try:
        return call_git(["merge-base", commit, of], cwd=repository) == commit
    except CommandError:
        return False


# --- write --------------------------------------------------------------------


def write_main(
    place: Place,
    *,
    removals: Sequence[Change],
    merges: Sequence[Change],
    links: Mapping[str, str],
) -> str:
    """A commit with the changes on top of a dataset's main; that itself where there are none.

    The job commits become parents, in chunks: each stays reachable, with its
    run record, when its branch is gone.  `links` are the commits to be
    registered of subdatasets.
    """
    repository, commit = place.target.dataset, place.start
    base = head_of(repository, REMOTE_BASE)
    current = is_ancestor(repository, base, commit)
    moved = {p: link for p, link in links.items() if link_at(repository, commit, p) != link}
    if current and not removals and not merges and not moved:
        return commit
    index = repository / ".git" / f"bidsloom-index-{os.getpid()}"
    env = {"GIT_INDEX_FILE": str(index)}
    try:
        call_git(["read-tree", commit], cwd=repository, env=env)
        registered: Mapping[str, Entry | None] = {
            path: Entry(SUBDATASET, link) for path, link in moved.items()
        }
        if not current:
            files = base_changes(repository, commit, base, without=links)
            update_index(repository, {**files, **registered}, env)
            message = "Update the study's scaffolding"
            commit = commit_tree(repository, [commit, base], message, env)
        elif moved:
            update_index(repository, registered, env)
        if removals:
            for change in removals:
                update_index(repository, change.files, env)
            trailers = "\n".join(f"{REMOVED_TRAILER}: {change.unit}" for change in removals)
            message = f"Remove {len(removals)} unit(s) withdrawn from the input\n\n{trailers}"
            commit = commit_tree(repository, [commit], message, env)
        for start in range(0, len(merges), PARENTS_PER_COMMIT):
            chunk = merges[start : start + PARENTS_PER_COMMIT]
            files = {path: entry for change in chunk for path, entry in change.files.items()}
            update_index(repository, files, env)
            parents = [commit, *(change.commit for change in chunk if change.commit)]
            message = f"Merge {len(chunk)} unit(s): {chunk[0].unit} to {chunk[-1].unit}"
            commit = commit_tree(repository, parents, message, env)
        if commit == place.start:
            commit = commit_tree(repository, [commit], "Register the outputs' commits", env)
        return commit
    finally:
        with contextlib.suppress(FileNotFoundError):
            index.unlink()


def link_at(repository: Path, commit: str, path: str) -> str | None:
    """The commit of a subdataset that a tree registers at a path, or None."""
    entry = call_git(["ls-tree", commit, "--", path], cwd=repository)
    return entry.split()[2] if entry else None


def base_changes(
    repository: Path, main: str, base: str, *, without: Iterable[str]
) -> dict[str, Entry | None]:
    """What changed in the scaffolding since main took it in; results stay as they are."""
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


def update_index(
    repository: Path, files: Mapping[str, Entry | None], env: Mapping[str, str]
) -> None:
    """Write files into the index named in `env`; no entry removes a path."""
    lines = (
        f"{entry.mode} {entry.blob}\t{path}" if entry else f"0 {'0' * 40}\t{path}"
        for path, entry in files.items()
    )
    stdin = "".join(f"{line}\0" for line in lines).encode(errors="surrogateescape")
    call_git(["update-index", "-z", "--index-info"], cwd=repository, stdin=stdin, env=env)


def commit_tree(repository: Path, parents: list[str], message: str, env: Mapping[str, str]) -> str:
    """A commit of the index named in `env`."""
    tree = call_git(["write-tree"], cwd=repository, env=env)
    flags = [flag for parent in parents for flag in ("-p", parent)]
    return call_git(
        ["commit-tree", tree, *flags, "-F", "-"], cwd=repository, env=env, stdin=message
    )


# --- publish ------------------------------------------------------------------


def publish(
    places: Sequence[Place], commits: Mapping[str, str], announced: Iterable[Announced]
) -> None:
    """Publish what was merged: location logs, then the mains, the output dataset's first.

    Raises `WorkflowFailure` where a store cannot be written to, or somebody
    else wrote main meanwhile.
    """
    announced = list(announced)
    *further, output = places
    behind = [place for place in further if commits[place.path] != place.main]
    for place in places:
        keys = {k for a in announced if place.path in a.parts for k in a.parts[place.path].keys}
        if keys:
            dataset = place.target.dataset
            uuid = store_uuid(place.target.store, dataset)
            with told(place):
                publish_locations(dataset, keys, uuid)
    for place in behind:
        push(place, [f"+{commits[place.path]}:refs/heads/{MERGING}"])
    if commits[output.path] != output.main:
        push_main(output, commits[output.path])
    for place in behind:
        push_main(place, commits[place.path])
        push(place, [f":refs/heads/{MERGING}"])


def push_main(place: Place, commit: str) -> None:
    """Push main, unless somebody else wrote it meanwhile."""
    lease = f"--force-with-lease=refs/heads/{MAIN}:{place.main}"
    push(place, [f"{commit}:refs/heads/{MAIN}"], lease)


def push(place: Place, refs: list[str], *options: str) -> None:
    """Push refs to a dataset's store."""
    with told(place):
        push_refs([*options, REMOTE, *refs], cwd=place.target.dataset)


@contextlib.contextmanager
def told(place: Place) -> Iterator[None]:
    """Tell what a failed push to a dataset's store means."""
    try:
        yield
    except CommandError as e:
        raise WorkflowFailure(
            f"main cannot be published to {place.target.store.url}: {last_line(e.stderr)}",
            hint="check that the store is writable and has space, then run `snakemake merge`; "
            "every result is safe on its job branch.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e
