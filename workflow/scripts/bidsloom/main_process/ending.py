"""What a run ends with: what is finished is merged and reported, and people are told."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence

from ..base.errors import CommandError, WorkflowFailure, error_message
from ..base.text import a_few
from ..checks.findings import Finding, failures, findings_table, read_findings
from ..config import Study
from ..handover.export import describe_export
from ..job.scratch import sweep_stored
from ..merge.merge import merge_branches
from ..records.export_outcome import read_export_outcome
from ..records.unit_state import UnitState
from ..reporting.notifications import (
    Addresses,
    compose_message,
    send_message,
    take_addresses,
)
from ..reporting.report import note_run, write_report
from ..reporting.unit_states import collect_rows, refuse_unsettled, summarize_rows

# So many units are named that an export lacks.
NAMED = 10


def load_addresses(study: Study) -> Addresses:
    """Where messages about the run go, out of the environment that jobs will get.

    Raises `WorkflowFailure` where they cannot be read or used.
    """
    addresses = take_addresses(study.notify)
    if addresses.source and not addresses.urls:
        print(f"bidsloom: {addresses.source} is empty: nobody is notified", file=sys.stderr)
    return addresses


def conclude_run(
    study: Study,
    addresses: Addresses,
    *,
    success: bool,
    complete: bool = False,
    logs: Sequence[str] = (),
) -> Iterator[str]:
    """Bring the report up to date, send messages; returns lines for the terminal.

    After a run with failures, what is finished is merged first: a failed unit
    holds up no other.  `complete` says that the run was for the whole study.

    Raises `WorkflowFailure` in the end where Snakemake is content with a run
    of the whole study, and units are left.
    """
    # The folder of a job that died late: there may be no later job to remove it.
    with contextlib.suppress(CommandError, OSError):
        sweep_stored(study)
    yield describe_success(study) if success else conclude_failure(study, logs=logs)
    left = None
    if success and complete:
        try:
            refuse_unsettled(collect_rows(study))
        except WorkflowFailure as e:
            left = e
    yield from notify(study, addresses, success=success and not left)
    if left:
        raise left


def describe_success(study: Study) -> str:
    """The run in a few lines; the report is brought up to what the run added to it."""
    return "\n" + summarize_rows(write_report(study), study)


def conclude_failure(study: Study, *, logs: Sequence[str]) -> str:
    """Merge and report what is finished after a run with failures."""
    refused = failures(read_findings(study.files.findings("node")))
    if study.files.checked.exists():
        refused = []
    problem = "\n" + error_message(refused) if refused else ""
    try:
        if study.files.prepared.exists():
            merge_branches(study)
    except WorkflowFailure as e:
        problem += "\n" + error_message([e])
    note_run(study, outcome="failed", log=", ".join(logs))
    rows = write_report(study)
    return f"{problem}\n{summarize_rows(rows, study)}"


def describe_last_export(study: Study) -> Iterator[str]:
    """What the target `export` did, and which units are not in it."""
    outcome = read_export_outcome(study)
    if outcome is None:
        return
    yield "\nExport: " + "\n  ".join(describe_export(outcome))
    rows = collect_rows(study)
    left = [r for r in rows if r.state is not UnitState.MERGED and not r.state.is_outside]
    if left:
        named = a_few([f"{row.unit} ({row.state})" for row in left], NAMED)
        yield f"  not merged, so not in it: {named}"


def notify(study: Study, addresses: Addresses, *, success: bool) -> list[str]:
    """Send a message of how the run ended, where that is asked for; returns what went wrong.

    A run that ends with results that are not complete counts as a failure,
    unless the user asked to hold them.
    """
    if not addresses.urls:
        return []
    rows = collect_rows(study)
    success = success and all(row.state is not UnitState.INCOMPLETE for row in rows)
    if ("success" if success else "failure") not in study.notify.ends:
        return []
    message = compose_message(study, rows, success=success)
    return send_message(addresses, **message)


def describe_check(study: Study, found: Iterable[Finding]) -> str:
    """A table of all that a check found, in this process and on the nodes."""
    kept = [study.files.findings(name) for name in ("node", "lock")]
    findings = [*found, *(finding for path in kept for finding in read_findings(path))]
    return "\n" + findings_table(findings)
