"""Accept results that are not complete, and merge them as they are."""

from __future__ import annotations

from collections.abc import Iterable

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.text import a_few
from ..config import Study
from ..datasets.branches import BranchKind, branch_name
from ..datasets.locks import exclusive, locked, wait_for_stores
from ..datasets.output_datasets import main_output
from ..datasets.pushes import push_refs
from ..datasets.stores import REMOTE, last_line
from ..records.job_record import list_records
from ..records.merge_outcome import MergeOutcome
from ..units.unit import unit_name
from .hold import Held
from .merge import choose_results, fetch_stores, merge_branches


def accept_units(study: Study, labels: Iterable[str]) -> MergeOutcome:
    """Mark the results of some units as accepted in the output store, then merge.

    A label is a unit's, or a subject's with all its sessions.

    Raises `WorkflowFailure` where a label names no result that is held; then
    nothing is written.
    """
    with locked(study.lock_file), exclusive(study):
        wait_for_stores(study)
        wanted = {record.unit: record.fingerprint for record in list_records(study)}
        _, held = choose_results(study, fetch_stores(study), wanted=wanted)
        units = find_held(labels, held)
        app = study.container.name
        refs = (
            f"+{held[unit].commit}:refs/heads/{branch_name(app, unit, BranchKind.ACCEPTED)}"
            for unit in units
        )
        try:
            push_refs([REMOTE, *refs], cwd=study.dataset)
        except CommandError as e:
            raise WorkflowFailure(
                f"{main_output(study).store.url} cannot be written to: {last_line(e.stderr)}",
                hint="check that the store is writable; nothing was accepted.",
                failure_class=FailureClass.STORE_UNAVAILABLE,
            ) from e
    return merge_branches(study)


def find_held(labels: Iterable[str], held: dict[str, Held]) -> list[str]:
    """The units that labels name; raises `WorkflowFailure` where one names none."""
    found, unknown = [], []
    for label in labels:
        name = unit_name(label)
        units = [u for u in held if u == name or u.startswith(f"{name}_ses-")]
        found += units
        if not units:
            unknown.append(label)
    if unknown:
        there = f"held are: {a_few(sorted(held), 10)}" if held else "no result is held"
        raise WorkflowFailure(
            f"{', '.join(unknown)}: no result of this name is held because it is not complete.",
            hint=f"nothing was accepted; {there}.",
        )
    return sorted(set(found))
