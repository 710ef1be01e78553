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
from ..datasets.pushes import push_refs
from ..datasets.stores import MAIN, REMOTE, last_line, store_uuid
from ..datasets.unit_results import UnitResult
from .mains import Place

# Holds a subdataset's new main until the output dataset registers it.
MERGING = "merging"


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
            dataset = place.target.dataset
            uuid = store_uuid(place.target.store, dataset)
            keys = (key for found in announced for key in found.list_keys(place.path))
            with explained(place):
                publish_locations(dataset, keys, uuid)
    for place in behind:
        push_refs_of(place, [f"+{commits[place.path]}:refs/heads/{MERGING}"])
    if commits[output.path] != output.main:
        push_main(output, commits[output.path])
    for place in behind:
        push_main(place, commits[place.path])
    for place in further:
        # Also that of a process which died after its last push of a main.
        if place in behind or head_of(place.target.dataset, f"refs/remotes/{REMOTE}/{MERGING}"):
            push_refs_of(place, [f":refs/heads/{MERGING}"])


def push_main(place: Place, commit: str) -> None:
    """Push main, unless somebody else wrote it in the meantime."""
    lease = f"--force-with-lease=refs/heads/{MAIN}:{place.main}"
    push_refs_of(place, [f"{commit}:refs/heads/{MAIN}"], lease)


def push_refs_of(place: Place, refs: list[str], *options: str) -> None:
    """Push refs to a dataset's store."""
    with explained(place):
        push_refs([*options, REMOTE, *refs], cwd=place.target.dataset)


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
