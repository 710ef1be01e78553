"""Publish what a merge wrote: location logs, then the main branches.

With outputs that are datasets of their own there is a main in each store, and
that of the output dataset decides: it registers one commit of every other.
The others' commits are therefore pushed first, to a branch of their own, then
the main of the output dataset, and only then theirs.  If the process dies
part-way, either the whole merge is visible or none of it; the next merge
finishes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..datasets.branches import head_of
from ..datasets.locations import publish_locations
from ..datasets.pushes import push_branch, push_refs
from ..datasets.stores import MAIN, REMOTE, last_line
from ..datasets.unit_results import UnitResult
from .mains import Place

# Holds a subdataset's new main until the output dataset registers it.
MERGING = "merging"
REMOTE_MERGING = f"refs/remotes/{REMOTE}/{MERGING}"


def publish(
    places: Sequence[Place], commits: Mapping[str, str], announced: Iterable[UnitResult]
) -> None:
    """Publish what was merged: location logs, then the mains, the output dataset's first.

    Raises `WorkflowFailure` where a store cannot be written to, or where
    somebody else wrote main in the meantime.
    """
    announced = list(announced)
    *further, output = places
    behind = [place for place in further if commits[place.path] != place.main]
    for place in places:
        if any(found.keys.get(place.path) for found in announced):
            keys = (key for found in announced for key in found.list_keys(place.path))
            with explained(place):
                publish_locations(place.target, keys)
    for place in behind:
        # Also that of a process which died after it.
        left = head_of(place.target.dataset, REMOTE_MERGING) or ""
        push_commit(place, MERGING, commits[place.path], seen=left)
    if commits[output.path] != output.main:
        push_commit(output, MAIN, commits[output.path], seen=output.main)
    for place in behind:
        push_commit(place, MAIN, commits[place.path], seen=place.main)
    for place in further:
        if place in behind or head_of(place.target.dataset, REMOTE_MERGING):
            with explained(place):
                push_refs([REMOTE, f":refs/heads/{MERGING}"], cwd=place.target.dataset)


def push_commit(place: Place, branch: str, commit: str, *, seen: str) -> None:
    """Push a commit to a branch of a dataset's store."""
    with explained(place):
        push_branch(place.target, branch, commit, seen=seen)


@contextlib.contextmanager
def explained(place: Place) -> Iterator[None]:
    """Raise a failed push to a dataset's store as a `WorkflowFailure`."""
    try:
        yield
    except CommandError as e:
        raise WorkflowFailure(
            f"main cannot be published to {place.target.store.url}: {last_line(e.stderr)}",
            hint="check that the store is writable and has space, then run `snakemake merge`; "
            "every result is safe on its job branch.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e
