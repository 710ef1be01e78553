"""A subject's content out of a store, and out of the location logs."""

from __future__ import annotations

from ..base.batching import in_batches
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import call_annex
from ..datasets.locations import DEAD, publish_locations
from ..datasets.stores import last_line, missing_keys, store_uuid
from .traces import Traces

KEYS_AT_ONCE = 10_000


def drop_content(traces: Traces) -> None:
    """Remove content from a store, see that it is gone, and write that into the location logs.

    Raises `WorkflowFailure` where content stays, or the logs cannot be written.
    """
    output, keys = traces.output, sorted(traces.keys)
    if not keys:
        return
    store, clone = output.store, output.dataset
    uuid = store_uuid(store, clone)
    said = ""
    for batch in in_batches(keys, KEYS_AT_ONCE):
        try:
            # Of a result that was never merged no log says that the store has it, and
            # git-annex drops only what a log says.
            present = "".join(f"{key} {uuid} 1\n" for key in batch)
            call_annex(["setpresentkey", "--batch"], cwd=clone, stdin=present)
            drop(batch, ["--from", store.content_remote], traces)
            # What was fetched to look at it, or to export it.
            drop(batch, [], traces)
        except CommandError as e:
            said = last_line(e.stderr)
    left = set(keys) - missing_keys(store, keys, dataset=clone)
    if left:
        raise WorkflowFailure(
            f"{len(left)} of {len(keys)} annexed file(s) could not be removed from {store.url}: "
            f"{said or sorted(left)[0]}",
            hint="see that you can write there, then erase again; it goes on where it ended.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        )
    try:
        publish_locations(output, keys, status=DEAD)
    except CommandError as e:
        raise WorkflowFailure(
            f"The location logs of {store.url} cannot be written: {last_line(e.stderr)}",
            hint="see that you can write there, then erase again; it goes on where it ended.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e


def drop(keys: list[str], options: list[str], traces: Traces) -> None:
    """Let git-annex drop content, although nobody else may have it."""
    command = ["drop", "-q", "--force", "--batch-keys", *options]
    stdin = "".join(f"{key}\n" for key in keys)
    call_annex(command, cwd=traces.output.dataset, stdin=stdin)
