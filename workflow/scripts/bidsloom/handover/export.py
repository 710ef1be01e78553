"""Lay out what main holds as plain files: in a folder, in zip files, or at a special remote."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from ..base.errors import FailureClass, WorkflowFailure
from ..base.files import write_json
from ..base.text import a_few, printable
from ..config import Study
from ..datasets.fetches import fetch_output
from ..datasets.locks import exclusive
from ..datasets.output_datasets import list_outputs
from ..datasets.stores import REMOTE_MAIN, read_setting
from ..records.export_outcome import ExportOutcome, write_export_outcome
from .contents import Contents, read_contents
from .destination import opened
from .folder_export import Tally, export_to_folder
from .remote_export import export_to_remote

log = logging.getLogger(__name__)

NAMED = 5


def export_study(study: Study) -> ExportOutcome:
    """Export what main holds, check it, and write and return what was done.

    Raises `WorkflowFailure` where nothing can be exported, and in the end where
    something of it is missing.
    """
    if not study.export.to and not study.export.remote:
        raise WorkflowFailure(
            f"Study {study.name} does not say where its results are exported to.",
            hint="set export.to to a new folder, or export.remote to a special remote.",
        )
    with exclusive(study):
        outputs = list_outputs(study)
        for output in outputs:
            fetch_output(output)
        dataset = read_setting(outputs[-1].dataset, REMOTE_MAIN, "datalad.dataset.id") or ""
        contents = read_contents(study)
    if not contents.groups:
        raise WorkflowFailure(
            f"Study {study.name} has nothing to export yet.", hint="run snakemake first."
        )
    if study.export.to:
        outcome = to_folder(study, contents, dataset)
    else:
        outcome = export_to_remote(study, contents, dataset)
    write_export_outcome(study, outcome)
    for line in describe_export(outcome):
        log.info("%s", line)
    refuse_missing(outcome)
    return outcome


def to_folder(study: Study, contents: Contents, dataset: str) -> ExportOutcome:
    """Export to the folder `export.to`; what is there says whether it is complete."""
    wanted = study.export
    assert wanted.to is not None
    with opened(wanted.to, study=study.name, dataset=dataset) as destination:
        owner = {"study": study.name, "dataset": dataset}
        write_json(destination.owner, {**owner, "complete": False})
        tally = export_to_folder(
            contents, destination, zipped=wanted.zipped, check_content=wanted.check_content
        )
        outcome = outcome_of(str(wanted.to), contents, tally)
        if outcome.complete:
            write_json(destination.owner, {**owner, "main": contents.main, "complete": True})
    return outcome


def outcome_of(to: str, contents: Contents, tally: Tally) -> ExportOutcome:
    """What an export to a folder did."""
    return ExportOutcome(
        to=to,
        main=contents.main,
        complete=not tally.missing,
        files=tally.files,
        bytes=tally.bytes,
        copied=tally.copied,
        copied_bytes=tally.copied_bytes,
        removed=tally.removed,
        missing={printable(path): why for path, why in sorted(tally.missing.items())},
        foreign=tuple(map(printable, tally.foreign)),
        lost_links=tuple(map(printable, tally.lost_links)),
    )


def describe_export(outcome: ExportOutcome) -> Iterator[str]:
    """What an export did, in a few lines for the terminal."""
    yield (
        f"{outcome.to}: {outcome.files} file(s), {outcome.bytes / 1e6:.1f} MB; "
        f"{outcome.copied} written now, {outcome.removed} removed"
        + ("" if outcome.complete else "; NOT COMPLETE")
    )
    if outcome.foreign:
        few = a_few(outcome.foreign, NAMED)
        yield f"not of this study, left as they are: {few}"
    if outcome.lost_links:
        few = a_few(outcome.lost_links, NAMED)
        yield f"links that lead to no file of the dataset, not exported: {few}"


def refuse_missing(outcome: ExportOutcome) -> None:
    """Raise `WorkflowFailure` where something is missing at the destination."""
    if outcome.missing:
        lines = [f"  {path}: {why}" for path, why in list(outcome.missing.items())[:NAMED]]
        more = len(outcome.missing) - NAMED
        raise WorkflowFailure(
            f"{len(outcome.missing)} file(s) of the export to {outcome.to} are missing:\n"
            + "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])]),
            hint="export.json in the study's results names all of them.  Where the store lacks "
            "the content, bring it back (git annex fsck in a clone finds all that is lost), then "
            "start the export again; it copies only what is missing.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        )
