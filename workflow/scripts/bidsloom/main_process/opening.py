"""Open a study at the start of Snakemake: check it, find its units, reconcile its records."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sys
from collections.abc import Mapping
from datetime import datetime

import yaml

from ..base.credentials import hide_credentials
from ..base.errors import FailureClass, WorkflowFailure, refuse
from ..base.files import digest, read_json, write_json, write_text
from ..checks.at_start import checks_at_start, scratch_check
from ..checks.findings import Check, Finding, Level, failures, run_checks
from ..checks.subject_datasets import subject_dataset_checks
from ..config import Study
from ..config.layout import new_output
from ..config.plain_values import plain
from ..config.reading import restore_on
from ..containers.image import identify_image
from ..datasets.clones import clone_output, pin_further, pin_input
from ..datasets.locks import exclusive
from ..datasets.output_datasets import OutputDataset, check_output_store, list_outputs, main_output
from ..records.cancellations import remove_cancellations
from ..records.evidence import remove_evidence
from ..records.job_record import JobRecord
from ..records.open_study import OpenStudy
from ..records.prepared import read_prepared
from ..records.produced import find_offers, join_produced
from ..records.reconcile import (
    drop_old_merge,
    drop_outdated_files,
    find_done,
    restore_records,
    set_aside_records,
)
from ..records.why_due import explain_due, list_withdrawn
from ..units.listing import cached_units, subjects_of_patterns
from ..units.offers import write_offers


def fetch_layout(study: Study) -> None:
    """Clone the output dataset of a study that names no output folders, where it has a store.

    `read_study` takes the folders from that clone.  What is wrong with the
    store is said later, with all other faults.
    """
    output = main_output(study)
    asked = study.container.outputs == (new_output(study.container.name),)
    if asked and not output.dataset.exists():
        with contextlib.suppress(WorkflowFailure):
            if check_output_store(output, study):
                with exclusive(study):
                    clone_output(output, study)


def open_study(
    study: Study,
    *,
    busy: bool = False,
    here: bool = True,
    together: Mapping[str, OpenStudy] | None = None,
) -> OpenStudy:
    """Check everything that a study names, list its units, and reconcile their records.

    `busy` says that another run of this study may be under way: then its
    records are not moved.  `here` says that jobs run on this machine: then its
    scratch folder is checked too.  `together` are the studies of the same run,
    by name, whose results this one may read.

    Raises `ConfigFailure` with every fault found.
    """
    findings, opened = look_around(study, here=here, together=together)
    refuse(failures(findings))
    for caution in (finding for finding in findings if finding.level is Level.WARNING):
        print(f"bidsloom: warning: {caution.found} Hint: {caution.remedy}", file=sys.stderr)
    # Without a failure the study was opened.
    assert opened is not None
    with exclusive(study):
        kept: Mapping[str, JobRecord] = {}
        if not busy:
            drop_outdated_files(opened)
            kept = set_aside_records(opened)
            drop_old_merge(opened)
            remove_cancellations(study)
        restore_records(opened, kept)
        opened = dataclasses.replace(opened, done=find_done(opened, kept))
        remove_evidence(study, opened.done)
        return dataclasses.replace(
            opened, why=explain_due(opened), withdrawn=list_withdrawn(opened)
        )


def look_around(
    study: Study,
    *,
    here: bool,
    telling: bool = False,
    together: Mapping[str, OpenStudy] | None = None,
) -> tuple[list[Finding], OpenStudy | None]:
    """The findings about all that a study names, and the opened study where none is a failure."""
    findings = run_checks(checks_at_start(study, here=here), telling=telling)
    if failures(findings):
        return findings, None
    opened: list[OpenStudy] = []
    findings += run_checks(
        [
            Check(
                "subjects",
                "subjects of a BIDS dataset",
                lambda: opened.append(find_units(study, together or {})),
                lambda: tell_units(opened[0]),
            )
        ],
        telling=telling,
    )
    if opened:
        findings += run_checks(subject_dataset_checks(study, opened[0].units), telling=telling)
    if opened and here:
        findings += run_checks([scratch_check(study, opened[0].units)], telling=telling)
    return findings, opened[0] if opened else None


def find_units(study: Study, together: Mapping[str, OpenStudy]) -> OpenStudy:
    """Clone what is missing, and return the study's units at the input's pinned commit."""
    with exclusive(study):
        for target in list_outputs(study):
            if check_output_store(target, study):
                clone_output(target, study)
            else:
                refuse_lost_store(study, target)
        commit = pin_input(study)
        further = pin_further(study, subjects_of_patterns(study, commit))
        offers = find_offers(study, together)
        write_offers(study, offers)
        units = cached_units(study, commit, further, retry=True)
        joined, waits = join_produced(units.units, study, offers)
        units = dataclasses.replace(units, units=tuple(joined))
        return OpenStudy(study, units, identify_image(study), further, offers=offers, waits=waits)


def tell_units(opened: OpenStudy) -> str:
    """How many units there are, and where they were found."""
    units = opened.units
    left = f", {len(units.excluded)} left out" if units.excluded else ""
    return f"{len(units.units)} unit(s) at {units.commit[:10]}{left}"


def note_config(study: Study, config: Mapping) -> None:
    """Write a study's configuration, without its secrets, for studies that read its results."""
    told = plain(restore_on(config), [])
    told.get("hpc", {}).pop("environment", None)
    text = hide_credentials(yaml.safe_dump(told, sort_keys=False))
    with contextlib.suppress(OSError):
        if study.files.known_config.read_text() == text:
            return
    write_text(study.files.known_config, text)


def refuse_lost_store(study: Study, target: OutputDataset) -> None:
    """Refuse an empty output store that results were pushed to before.

    It may not be mounted; a new store at its path would hide the results, and
    everything would be computed again.
    """
    prepared = read_prepared(study)
    if target.path and not (prepared and target.path in prepared.bases):
        # An output that the study did not have before.
        return
    pushed = len(list(study.files.records.glob("*.json")))
    if pushed:
        raise WorkflowFailure(
            f"The output store {target.store.url} is missing or empty, but {pushed} unit(s) of "
            f"study {study.name} were pushed to it.",
            hint="mount it, or correct its path in the config; to start again in a new store, "
            f"remove '{study.results}' first.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        )


def remove_old_check(opened: OpenStudy, *, partition: str, anew: bool) -> None:
    """Remove what an earlier check found, unless it is of this day and of the same study.

    `partition` is where jobs run, empty for this machine.  With `anew`, or where
    the study is not prepared, it is removed in any case: jobs wait for the
    check, and the check waits for the preparation.
    """
    study = opened.study
    asked = {
        "day": datetime.now().date().isoformat(),
        "study": digest(repr(study)),
        "commits": [opened.units.commit, *opened.further.values()],
        "image": opened.image_id,
        "partition": partition,
    }
    files = study.files
    if anew or not files.prepared.exists() or read_json(files.check_asked) != asked:
        shutil.rmtree(files.check, ignore_errors=True)
        for passed in (files.checked, files.lock_checked):
            passed.unlink(missing_ok=True)
        write_json(files.check_asked, asked)
