"""The units of a study, listed once for each commit and selection, and remembered."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from ..base.errors import FailureClass, WorkflowFailure, refuse
from ..base.files import digest, read_json, write_json
from ..base.runners import call_git_success
from ..base.text import a_few
from ..config import Study
from ..config.study import Selection
from ..datasets.annex import FOLDER, SUBDATASET
from ..datasets.clones import left_out_of
from .file_names import check_requirements
from .further_inputs import join_further, read_entries
from .named_files import add_named, read_shared
from .offers import join_offers, read_offers
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
from .tree import INHERITED_SUFFIXES, Folder, FolderReader, read_root
from .unit import LABEL, Unit, Units, subject_of


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
    left_out = left_out_of(study.input)
    refuse_lost_files(study, left_out)
    units = list_input_units(
        input_commit(study, commit),
        by_session=study.by_session,
        selection=named_selection(study.selection),
        left_out=left_out,
        shared=study.shared_paths,
        # A further input may leave out some of the first units.
        enough=None if study.further_inputs else study.selection.limit,
    )
    if study.further_inputs:
        joined, left = join_further(units.units, study, further)
        joined, unoffered = join_offers(joined, study, read_offers(study))
        excluded = tuple(sorted([*units.excluded, *left, *unoffered]))
        units = dataclasses.replace(units, units=tuple(joined), excluded=excluded)
    units = limit_units(dataclasses.replace(units, commit=commit), study.selection.limit)
    if not units.units:
        raise WorkflowFailure(
            f"No subject of {study.input_url} at {commit[:10]} is left to process:\n"
            + "\n".join(f"  {line}" for line in count_reasons(units.excluded)),
            hint="change what the section subjects of the config asks for.",
        )
    write_json(memory, {"asked": asked, **dataclasses.asdict(units)})
    return units


def subjects_of_patterns(study: Study, commit: str) -> list[str]:
    """Labels of the subjects that have datasets of their own in a further input, if one does.

    Those that the configuration leaves out by name are not among them.
    """
    if not any(further.is_pattern for further in study.further_inputs):
        return []
    chosen = named_selection(study.selection)
    names = (
        name for name in read_root(study.input, study.input_tree(commit)) if name.startswith("sub-")
    )
    labels = sorted(name.removeprefix("sub-") for name in names)
    return [
        label
        for label in labels
        if re.fullmatch(LABEL, label)
        and label not in chosen.exclude
        and (not chosen.include or label in chosen.include)
    ]


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
    beside = [left_out_of(study.input), study.shared_paths]
    beside += [study.input_folder] if study.input_folder else []
    # Of other studies which units they have; their results are no part of the list.
    if offers := read_offers(study):
        beside.append({path: sorted(offer.units) for path, offer in offers.items()})
    # Earlier versions left out subjects that are datasets.
    asked = [commit, dict(further), repr(inputs), study.by_session, selection, *beside]
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


def refuse_lost_files(study: Study, left_out: Mapping[str, str]) -> None:
    """Refuse an imported folder without a file at its root that its units inherit.

    Other files at the root that could not be imported are named in a warning.
    """
    for name, why in sorted(left_out.items()):
        if name.endswith(INHERITED_SUFFIXES):
            raise WorkflowFailure(
                f"{study.input_url} cannot be imported without {name}, which its subjects may "
                f"inherit: {why}.",
                hint="make it a file that you can read, and start again.",
                failure_class=FailureClass.INPUT_UNAVAILABLE,
            )
        if not re.fullmatch(f"sub-{LABEL}", name):
            print(
                f"bidsloom: warning: {name} of {study.input_url} is left out: {why}.",
                file=sys.stderr,
            )


def list_units(
    repository: Path,
    commit: str,
    *,
    by_session: bool,
    selection: NamedSelection,
    source: str,
    left_out: Mapping[str, str] | None = None,
    shared: Iterable[str] = (),
) -> Units:
    """As `list_input_units`; `source` is the URL of the input dataset."""
    given = InputCommit(repository, commit, source)
    return list_input_units(
        given, by_session=by_session, selection=selection, left_out=left_out, shared=shared
    )


def list_input_units(
    given: InputCommit,
    *,
    by_session: bool,
    selection: NamedSelection,
    left_out: Mapping[str, str] | None = None,
    shared: Iterable[str] = (),
    enough: int | None = None,
) -> Units:
    """All units of an input dataset at a commit, sorted; `selection.limit` is not applied.

    Where only the first units are asked for, `enough` says how many; then
    datasets of later subjects are not looked into.  `left_out` says why folders
    of an imported dataset are not in the commit, `shared` are paths that every
    unit sees.

    Raises `WorkflowFailure` where the tree is not a BIDS dataset, has no
    subjects, has a folder with a name that no subject can have, or lacks
    something that the selection names.
    """
    repository, commit = given.repository, given.commit
    where = f"{given.url} at {commit[:10]}"
    if not call_git_success(["cat-file", "-e", commit], cwd=repository):
        raise WorkflowFailure(
            f"{where} has no folder {commit.partition(':')[2]}.",
            hint=f"set datalad.input_folder to another one{describe_derivatives(given)}.",
        )
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
    lost = {n: why for n, why in (left_out or {}).items() if re.fullmatch(f"sub-{LABEL}", n)}
    if not reader.folders() and not lost:
        raise WorkflowFailure(
            f"{where} has no subjects: there is no folder sub-<label> with files in it.",
            hint="check datalad.input_repo and datalad.input_version; or set "
            f"datalad.input_folder{describe_derivatives(given)}.",
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
    folders = reader.folders()
    known = {**folders, **dict.fromkeys(lost, Folder())}
    refuse(find_unknown(selection, root=root, folders=known, source=where))
    units, excluded = select()
    units = add_named(
        units,
        folders,
        repository=repository,
        root=root,
        shared=read_shared(repository, commit, shared, left_out=left_out or {}),
    )
    excluded = sorted([*excluded, *lost.items()])
    return Units(commit, tuple(units), tuple(excluded), tuple(unreadable))


def describe_derivatives(given: InputCommit) -> str:
    """The folders in `derivatives` of an input, in words; empty without any."""
    commit = given.commit.partition(":")[0]
    entries = read_entries(given.repository, commit, ["derivatives/"])
    names = [entry.path for entry in entries if entry.mode == FOLDER]
    return f"; there are {a_few(names, 5)}" if names else ""


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
