"""What other studies offer to a study, and what its units therefore are made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ..base.errors import FailureClass, WorkflowFailure
from ..base.text import a_few
from ..config import Study
from ..config.producer import Producer
from ..config.study import FurtherInput
from ..datasets.branches import read_ledger
from ..datasets.clones import clone, fetch_origin
from ..datasets.stores import MAIN, is_git_directory
from ..datasets.thin_clones import share_remotes
from ..units.completeness import is_accepted
from ..units.offers import DUE, Offer
from ..units.produced_files import (
    announcing_repository,
    announcing_store,
    content_store,
    mark_units,
    producer_of,
)
from ..units.unit import GROUP, Unit
from .job_record import JobRecord, read_record, read_record_file
from .merge_outcome import read_merge_outcome
from .open_study import OpenStudy

# At most this many reasons are shown of a result that is not complete.
REASONS = 3


def find_offers(study: Study, together: Mapping[str, OpenStudy]) -> dict[str, Offer]:
    """What the studies offer whose results are inputs, by where these are registered.

    `together` are the studies, by name, that run with this one.

    Raises `WorkflowFailure` where the results of another one cannot be read.
    """
    offers = {}
    for further in study.produced_inputs:
        producer = producer_of(further)
        opened = together.get(producer.name)
        if not opened:
            offers[further.path] = offer_of_store(further)
            continue
        offer = offers[further.path] = offer_of_run(opened, producer)
        # Of a store that is not mounted, results are looked at in the study's own clone.
        if any(offer.units.values()) and not content_store(further).repository:
            connect_producer(further)
    return offers


def offer_of_run(opened: OpenStudy, producer: Producer) -> Offer:
    """What a study offers that runs together with this one."""
    study, outcome = opened.study, read_merge_outcome(opened.study)
    units, waits = {}, {}
    for name in opened.names:
        record = read_record(study, name) if name in opened.done else None
        why = opened.waits.get(name, "")
        if record and not is_usable(record, outcome.merged_units, outcome.held):
            if not is_accepted(study.selection, name):
                why = f"is not complete: {a_few(record.incomplete, REASONS)}"
            record = None
        units[name] = record.commit if record else ""
        if why:
            waits[name] = why
    group = ""
    if producer.group and all(units.values()) and study.files.group_merged.exists():
        made = read_record(study, GROUP)
        group = made.commit if made else ""
    return Offer(live=True, units=units, waits=waits, group=group)


def is_usable(record: JobRecord, merged: Collection[str], held: Collection[str]) -> bool:
    """True for a result that another study reads: it is complete, or was accepted and merged."""
    return not record.incomplete or (record.unit in merged and record.unit not in held)


def offer_of_store(further: FurtherInput) -> Offer:
    """What main of another study's output store offers.

    Raises `WorkflowFailure` where there is no such store.
    """
    producer, store = producer_of(further), announcing_store(further)
    if store.repository and not is_git_directory(store.repository):
        raise WorkflowFailure(
            f"Study {producer.name}, whose results datalad.inputs names, has no results yet: its "
            f"output store {store.url} is missing.",
            hint="run that study first, or both as a chain (a file with `studies`).",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        )
    connect_producer(further)
    repository = announcing_repository(further)
    main = f"refs/heads/{MAIN}" if store.repository else f"refs/remotes/origin/{MAIN}"
    ledger = read_ledger(repository, main)
    group = ledger.pop(GROUP, None)
    return Offer(
        live=False,
        units={unit: result.commit for unit, result in sorted(ledger.items())},
        group=group.commit if group and producer.group else "",
    )


def connect_producer(further: FurtherInput) -> None:
    """Clone the dataset of another study's results, or fetch what is new in it.

    Raises `WorkflowFailure` where it cannot be cloned.
    """
    if not further.clone.exists():
        clone(further.url, further.clone, key="datalad.inputs")
    else:
        fetch_origin(further.clone)
    share_remotes(further.clone)


def join_produced(
    units: Iterable[Unit], study: Study, offers: Mapping[str, Offer]
) -> tuple[list[Unit], dict[str, str]]:
    """The units with what they read of other studies; and unit -> why it waits for a result."""
    joined = {unit.name: unit for unit in units}
    waits: dict[str, str] = {}
    for further in study.produced_inputs:
        offer, producer = offers[further.path], producer_of(further)
        for unit, mark in mark_units(list(joined.values()), further, offer):
            joined[unit.name] = replace(unit, further=(*unit.further, (further.path, mark)))
            if mark != DUE:
                continue
            held = [n for n in offer.behind(unit) if n in offer.waits] if not producer.group else []
            if held:
                waits[unit.name] = wait_for(held[0], producer, offer.waits[held[0]])
            elif not offer.live:
                waits[unit.name] = wait_for(GROUP, producer, "is not in main of its output store")
    return list(joined.values()), waits


def wait_for(unit: str, producer: Producer, why: str) -> str:
    """That a unit waits for a result of another study, in words."""
    if why.startswith("waits for "):
        return why
    return f"waits for {unit} of {producer.name}, which {why}"


def recorded_result(producer: Producer, unit: str) -> tuple[str, str]:
    """The commit of another study's result by its record, or why there is none to be read."""
    record = read_record_file(producer.files.record(unit))
    if record is None:
        return "", ""
    if record.incomplete:
        outcome = read_merge_outcome(producer)
        if not is_usable(record, outcome.merged_units, outcome.held):
            return "", f"is not complete: {a_few(record.incomplete, REASONS)}"
    return record.commit, ""
