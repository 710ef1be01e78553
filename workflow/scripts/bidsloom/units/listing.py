"""The units of a study: looked for once a commit and a selection, and remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..base.errors import WorkflowFailure, refuse
from ..base.files import digest, read_json, write_json
from ..config import Study
from ..config.study import Selection
from ..datasets.annex import FOLDER
from .file_names import check_requirements
from .further_inputs import join_further
from .participants import find_participants, read_labels
from .selection import check_folders, count_reasons, find_unknown, limit_units, select_units
from .tree import read_folders, read_root
from .unit import Unit, Units


def cached_units(study: Study, commit: str, further: Mapping[str, str]) -> Units:
    """The units at a commit of each input, listed once per commits and selection.

    Raises `WorkflowFailure` where nobody is left.
    """
    memory = study.files.units
    asked = listing_key(study, commit, further)
    known = read_json(memory)
    if known and known["asked"] == asked:
        return Units(
            commit=commit,
            units=tuple(read_cached(unit) for unit in known["units"]),
            excluded=tuple((name, reason) for name, reason in known["excluded"]),
        )
    units = list_units(
        study.input,
        commit,
        by_session=study.by_session,
        selection=named_selection(study.selection),
        source=study.input_url,
    )
    if study.further_inputs:
        joined, left = join_further(units.units, study, further)
        units = Units(commit, tuple(joined), tuple(sorted([*units.excluded, *left])))
    units = limit_units(units, study.selection.limit)
    if not units.units:
        raise WorkflowFailure(
            f"No subject of {study.input_url} at {commit[:10]} is left to process:\n"
            + "\n".join(f"  {line}" for line in count_reasons(units.excluded)),
            hint="change what the section subjects of the config asks for.",
        )
    write_json(memory, {"asked": asked, **dataclasses.asdict(units)})
    return units


def known_units(study: Study) -> set[str]:
    """Names of all units of the input as it was last looked at, those left out included.

    Not from the tables, of which a changed selection removes one until it is
    written anew: who is left out would seem withdrawn.
    """
    known = read_json(study.files.units)
    if known is None:
        return set()
    return {unit["name"] for unit in known["units"]} | {name for name, _ in known["excluded"]}


def listing_key(study: Study, commit: str, further: Mapping[str, str]) -> str:
    """A digest of what the list of units is made from, the labels in files included."""
    selection = dataclasses.asdict(named_selection(study.selection))
    places = [dataclasses.astuple(f) for f in study.further_inputs]
    return digest([commit, dict(further), repr(places), study.by_session, selection])


def read_units(study: Study) -> list[Unit]:
    """The units as they were listed last, without a look at the dataset."""
    known = read_json(study.files.units) or {"units": []}
    return [read_cached(unit) for unit in known["units"]]


def read_cached(unit: Mapping) -> Unit:
    """A unit from JSON."""
    return Unit(**{**unit, "further": tuple((path, mark) for path, mark in unit["further"])})


def named_selection(selection: Selection) -> Selection:
    """A selection with the labels themselves in place of the files that hold them."""
    include, exclude = (
        read_labels(named, key=key) if isinstance(named, Path) else named
        for named, key in (
            (selection.include, "subjects.include"),
            (selection.exclude, "subjects.exclude"),
        )
    )
    if isinstance(selection.include, Path) and not include:
        # An empty list means all; an empty file is more likely a mistake.
        raise WorkflowFailure(
            f"subjects.include names the file {selection.include}, which names nobody.",
            hint="write one label a line, or delete subjects.include to process all.",
        )
    return dataclasses.replace(selection, include=include, exclude=exclude)


def list_units(
    repository: Path, commit: str, *, by_session: bool, selection: Selection, source: str
) -> Units:
    """The units of an input dataset at a commit, sorted, however many.

    `repository` is a clone of the input dataset, `source` its name in
    messages.

    Raises `WorkflowFailure` where the tree is no BIDS dataset, holds no
    subjects, has a folder that cannot be a subject, or lacks what the
    selection names.
    """
    where = f"{source} at {commit[:10]}"
    root = read_root(repository, commit)
    if "dataset_description.json" not in root:
        raise WorkflowFailure(
            f"{where} is not a BIDS dataset: it has no dataset_description.json.",
            hint="set datalad.input_repo to the dataset's root, and datalad.input_version "
            "to a commit that has it.",
        )
    check_folders(root, selection.exclude, where)
    check_requirements(selection.require)
    folders = read_folders(repository, commit, by_session=by_session)
    if not folders:
        raise WorkflowFailure(
            f"{where} holds no subjects: there is no folder sub-<label> with files in it.",
            hint="check datalad.input_repo and datalad.input_version.",
        )
    refuse(find_unknown(selection, root=root, folders=folders, source=where))
    truths = None
    if selection.where:
        truths = find_participants(
            selection.where, repository=repository, commit=commit, source=where
        )
    units, excluded = select_units(
        folders,
        selection,
        root_files=[(name, id) for name, (mode, id) in sorted(root.items()) if mode != FOLDER],
        truths=truths,
    )
    return Units(commit=commit, units=tuple(units), excluded=tuple(excluded))


def find_withdrawn(units: Iterable[str], known: Collection[str]) -> list[str]:
    """Those of some units that the input has no more, sorted.

    `known` are all units of the input, those left out included; where none is
    known, nobody counts as withdrawn.  A unit of the other processing level
    (the subject of a session, a session of a subject) is not withdrawn.
    """
    levels = {*known, *(name.partition("_")[0] for name in known)}
    subjects = {name for name in known if "_" not in name}
    return sorted(
        unit
        for unit in set(units)
        if known
        and unit.startswith("sub-")
        and unit not in levels
        and unit.partition("_")[0] not in subjects
    )
