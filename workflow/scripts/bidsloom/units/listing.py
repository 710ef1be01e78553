"""The units of a study, listed once for each commit and selection, and remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from ..base.errors import WorkflowFailure, refuse
from ..base.files import digest, read_json, write_json
from ..config import Study
from ..config.study import Selection
from ..datasets.annex import FOLDER, SUBDATASET
from .file_names import check_requirements
from .further_inputs import join_further
from .participants import find_participants, read_labels
from .selection import (
    NamedSelection,
    check_folders,
    count_reasons,
    find_unknown,
    limit_units,
    select_units,
    why_not_chosen,
    why_not_true,
)
from .subject_datasets import InputCommit, input_commit, look_inside, note_unnamed
from .tree import FolderReader, read_root
from .unit import Unit, Units, subject_of


def cached_units(
    study: Study, commit: str, further: Mapping[str, str], *, retry: bool = False
) -> Units:
    """The units at a commit of each input, from `units.json` if that was made from the same.

    Otherwise they are listed, and `units.json` is written.  With `retry` they
    are also listed again where a subject's dataset could not be read.

    Raises `WorkflowFailure` where no unit is left, or for the reasons of
    `list_units`.
    """
    memory = study.files.units
    asked = listing_key(study, commit, further)
    known = read_json(memory)
    if known and known["asked"] == asked and not (retry and known.get("unreadable")):
        return Units(
            commit=commit,
            units=tuple(read_cached(unit) for unit in known["units"]),
            excluded=tuple((name, reason) for name, reason in known["excluded"]),
            unreadable=tuple(known.get("unreadable", ())),
        )
    units = list_input_units(
        input_commit(study, commit),
        by_session=study.by_session,
        selection=named_selection(study.selection),
        # A further input may leave out some of the first units.
        enough=None if study.further_inputs else study.selection.limit,
    )
    if study.further_inputs:
        joined, left = join_further(units.units, study, further)
        excluded = tuple(sorted([*units.excluded, *left]))
        units = dataclasses.replace(units, units=tuple(joined), excluded=excluded)
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
    """Names of all units of the input as it was last listed, with those that were left out.

    They come from `units.json` and not from the tables.  A changed selection
    removes a table until it is written again; units that are left out would
    then seem to be withdrawn.
    """
    known = read_json(study.files.units)
    if known is None:
        return set()
    return {unit["name"] for unit in known["units"]} | {name for name, _ in known["excluded"]}


def listing_key(study: Study, commit: str, further: Mapping[str, str]) -> str:
    """A digest of all that the list of units depends on, with the labels in files."""
    selection = dataclasses.asdict(named_selection(study.selection))
    inputs = [dataclasses.astuple(f) for f in study.further_inputs]
    asked = [commit, dict(further), repr(inputs), study.by_session, selection]
    # Earlier versions left out subjects that are datasets.
    return digest([*asked, "subjects' datasets"])


def read_units(study: Study) -> list[Unit]:
    """The units as they were last listed; the dataset itself is not read."""
    known = read_json(study.files.units) or {"units": []}
    return [read_cached(unit) for unit in known["units"]]


def read_cached(unit: Mapping) -> Unit:
    """A unit from JSON."""
    return Unit(**{**unit, "further": tuple((path, mark) for path, mark in unit["further"])})


def named_selection(selection: Selection) -> NamedSelection:
    """A selection with the labels themselves instead of files that hold them.

    Raises `WorkflowFailure` where a file cannot be read, or `include` has no
    labels.
    """
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
            f"subjects.include names the file {selection.include}, which has no labels.",
            hint="write one label on each line, or delete subjects.include to process all.",
        )
    return NamedSelection(**{**vars(selection), "include": include, "exclude": exclude})


def list_units(
    repository: Path, commit: str, *, by_session: bool, selection: NamedSelection, source: str
) -> Units:
    """As `list_input_units`; `source` is the URL of the input dataset."""
    given = InputCommit(repository, commit, source)
    return list_input_units(given, by_session=by_session, selection=selection)


def list_input_units(
    given: InputCommit,
    *,
    by_session: bool,
    selection: NamedSelection,
    enough: int | None = None,
) -> Units:
    """All units of an input dataset at a commit, sorted; `selection.limit` is not applied.

    Where only the first units are asked for, `enough` says how many; then
    datasets of later subjects are not looked into.

    Raises `WorkflowFailure` where the tree is not a BIDS dataset, has no
    subjects, has a folder with a name that no subject can have, or lacks
    something that the selection names.
    """
    repository, commit = given.repository, given.commit
    where = f"{given.url} at {commit[:10]}"
    root = read_root(repository, commit)
    if "dataset_description.json" not in root:
        raise WorkflowFailure(
            f"{where} is not a BIDS dataset: it has no dataset_description.json.",
            hint="set datalad.input_repo to the dataset's root, and datalad.input_version "
            "to a commit that has it.",
        )
    check_folders(root, selection.exclude, where)
    check_requirements(selection.require)
    reader = FolderReader(by_session=by_session)
    reader.read(repository, commit)
    if not reader.folders():
        raise WorkflowFailure(
            f"{where} has no subjects: there is no folder sub-<label> with files in it.",
            hint="check datalad.input_repo and datalad.input_version.",
        )
    truths = None
    if selection.where:
        truths = find_participants(
            selection.where, repository=repository, commit=commit, source=where
        )
    root_files = [
        (name, id) for name, (mode, id) in sorted(root.items()) if mode not in (FOLDER, SUBDATASET)
    ]

    def select() -> tuple[list[Unit], list[tuple[str, str]]]:
        return select_units(reader.folders(), selection, root_files=root_files, truths=truths)

    def is_enough(pending: Collection[str]) -> bool:
        """True where the first units are known; `pending` subjects are not looked into yet."""
        if enough is None:
            return False
        first = select()[0][:enough]
        return len(first) == enough and not any(subject_of(u.name) in pending for u in first)

    unreadable = read_registered(reader, given, selection, truths, is_enough)
    refuse(find_unknown(selection, root=root, folders=reader.folders(), source=where))
    units, excluded = select()
    return Units(commit, tuple(units), tuple(excluded), tuple(unreadable))


def read_registered(
    reader: FolderReader,
    given: InputCommit,
    selection: NamedSelection,
    truths: Mapping[str, bool] | None,
    is_enough: Callable[[Collection[str]], bool],
) -> list[str]:
    """Look into the datasets of those subjects that may be chosen.

    Returns the names of units whose datasets cannot be read.
    """
    if not reader.registered:
        return []
    include, exclude = set(selection.include), set(selection.exclude)

    unnamed = note_unnamed(reader, given)

    def wanted(path: str) -> bool:
        subject = path.partition("/")[0].removeprefix("sub-")
        return path not in unnamed and not (
            why_not_chosen(subject, include=include, exclude=exclude)
            or (truths is not None and why_not_true(subject, truths, selection.where))
        )

    files = bool(selection.require)
    failed = look_inside(reader, given, wanted=wanted, files=files, is_enough=is_enough)
    return sorted({reader.name_of(path, SUBDATASET) for path in failed})


def find_withdrawn(units: Iterable[str], known: Collection[str]) -> list[str]:
    """Those of some units that the input does not have any more, sorted.

    `known` are all units of the input, with those that are left out; where it
    is empty, no unit counts as withdrawn.  A unit of the other processing
    level (the subject of a session, a session of a subject) is not withdrawn.
    """
    levels = {*known, *(subject_of(name) for name in known)}
    subjects = {name for name in known if name == subject_of(name)}
    return sorted(
        unit
        for unit in set(units)
        if known
        and unit.startswith("sub-")
        and unit not in levels
        and subject_of(unit) not in subjects
    )
