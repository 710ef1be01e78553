"""Which of the dataset's subjects and sessions are processed, and why the others are not.

This module only decides.  `tree` reads what the dataset has, and
`participants` finds of whom `subjects.where` is true.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..base.errors import WorkflowFailure
from ..base.text import a_few
from ..config.study import Selection
from ..datasets.annex import FOLDER, SUBDATASET
from .file_names import find_lack, has_bids_name
from .tree import Folder, digest_inherited
from .unit import EMPTY_ROOM, LABEL, Unit, Units, split_name, subject_of

Excluded = tuple[str, str]
# The reason why units after the first are left out; the limit follows.
BEYOND = "beyond subjects.limit"
NO_SUBJECT = "recordings of the empty room, not of a subject; subjects.include can name it"


@dataclass(frozen=True)
class NamedSelection(Selection):
    """A selection in which `include` and `exclude` are labels, not a file with labels."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def select_units(
    folders: Mapping[str, Folder],
    selection: NamedSelection,
    *,
    root_files: list[tuple[str, str]],
    truths: Mapping[str, bool] | None,
) -> tuple[list[Unit], list[Excluded]]:
    """The units to process, and (unit, reason) of those that are left out; both sorted.

    `truths` says for each subject whether `subjects.where` is true; None where
    the configuration has no such condition.
    """
    units, excluded = [], []
    include, exclude = set(selection.include), set(selection.exclude)
    with_sessions = {subject_of(name) for name in folders if "_ses-" in name}
    for name, folder in sorted(folders.items()):
        subject, session = split_name(name)
        reason = (
            why_not_chosen(subject, include=include, exclude=exclude)
            or folder.problem
            or why_not_usable(name, folder, with_sessions)
            or why_not_session(session, folder, selection.sessions)
            or (truths is not None and why_not_true(subject, truths, selection.where))
            or (not folder.unread and why_lacking(folder, subject, selection))
        )
        if reason:
            excluded.append((name, reason))
        else:
            inherited = digest_inherited([*root_files, *folder.beside])
            units.append(
                Unit(
                    name=name,
                    subject=subject,
                    session=session,
                    tree=folder.tree,
                    inherited=inherited,
                    files=folder.files,
                    bytes=folder.bytes,
                )
            )
    return units, excluded


def limit_units(units: Units, limit: int | None) -> Units:
    """The first `limit` units; all where there is no limit."""
    if limit is None:
        return units
    beyond = [(unit.name, f"{BEYOND} {limit}") for unit in units.units[limit:]]
    excluded = tuple(sorted([*units.excluded, *beyond]))
    return dataclasses.replace(units, units=units.units[:limit], excluded=excluded)


def why_not_chosen(
    subject: str, *, include: Collection[str], exclude: Collection[str]
) -> str | None:
    """Why a subject is left out by name; None where it is not."""
    if subject in exclude:
        return "listed in subjects.exclude"
    if include and subject not in include:
        return "not listed in subjects.include"
    return NO_SUBJECT if subject == EMPTY_ROOM and not include else None


def why_not_usable(name: str, folder: Folder, with_sessions: Collection[str]) -> str | None:
    """Why a folder cannot be processed; None where it can.

    The job finds out whether a dataset that nobody looked into has files of the unit.
    """
    if name in with_sessions:
        return "its files outside its session folders are not a session"
    names = (path for path, _ in folder.entries)
    if not folder.unread and not has_bids_name(names, split_name(name)[0]):
        return "no file in its folder has a BIDS name of this subject"
    return None


def why_lacking(folder: Folder, subject: str, selection: NamedSelection) -> str | None:
    """Which of the required files a unit does not have; None where it has all."""
    return find_lack((path for path, _ in folder.entries), subject, selection.require)


def lacks_files(reason: str) -> bool:
    """True for a reason to leave out a unit that lacks files, which nobody chose."""
    found = r"no file .*|.*; required: \d+|absent from the further input .*"
    return bool(re.fullmatch(found, reason))


def why_not_session(session: str | None, folder: Folder, sessions: Collection[str]) -> str | None:
    """Why a unit is not one of the named sessions, if any are; None where it is.

    Nobody knows the sessions of a dataset that was not looked into.
    """
    if not sessions or (session is None and folder.unread):
        return None
    if session is None:
        return "it has no sessions, and subjects.sessions names some"
    return None if session in sessions else "session not listed in subjects.sessions"


def why_not_true(subject: str, truths: Mapping[str, bool], where: str) -> str | None:
    """Why `subjects.where` leaves a subject out; None where it does not."""
    if subject not in truths:
        return "not in participants.tsv, which subjects.where asks"
    return None if truths[subject] else f"where: {' '.join(where.split())} is not true"


# --- what the selection names -----------------------------------------------


def find_unknown(
    selection: NamedSelection,
    *,
    root: Mapping[str, tuple[str, str]],
    folders: Mapping[str, Folder],
    source: str,
) -> Iterator[WorkflowFailure]:
    """A failure for each key that names something that the dataset does not have.

    Nobody knows the sessions of a dataset that was not looked into.
    """
    labels = [split_name(name) for name in folders]
    subjects = {subject for subject, _ in labels}
    # Also folders without a valid label, which may be excluded for that reason.
    in_root = {
        name.removeprefix("sub-")
        for name, (mode, _) in root.items()
        if name.startswith("sub-") and mode in (FOLDER, SUBDATASET)
    }
    sessions = {session for _, session in labels if session}
    if any(folder.unread and "_" not in name for name, folder in folders.items()):
        sessions |= set(selection.sessions)
    for key, kind, named, known in (
        ("include", "sub-", selection.include, subjects),
        ("exclude", "sub-", selection.exclude, subjects | in_root),
        ("sessions", "ses-", selection.sessions, sessions),
    ):
        if absent := sorted(set(named) - known):
            yield WorkflowFailure(
                f"{a_few([f'{kind}{label}' for label in absent], 5)}: listed in "
                f"subjects.{key} but absent from {source}.",
                hint=f"{suggest(absent[0], known, kind)}correct or remove it in subjects.{key}, "
                "or set datalad.input_version to a commit that has it.",
            )


def suggest(label: str, known: Iterable[str], prefix: str) -> str:
    """A question with the known label that is most similar; empty if none is."""
    known = sorted(known)
    alike = [k for k in known if k.lower().lstrip("0") == label.lower().lstrip("0")]
    alike += difflib.get_close_matches(label, known, n=1, cutoff=0.5)
    return f"did you mean {prefix}{alike[0]}? If not, " if alike else ""


def check_folders(
    root: Mapping[str, tuple[str, str]], exclude: Collection[str], source: str
) -> None:
    """Refuse subject folders whose label would break BIDS tools and shells."""
    bad = [
        name
        for name, (mode, _) in sorted(root.items())
        if mode in (FOLDER, SUBDATASET)
        and name.startswith("sub-")
        and not re.fullmatch(f"sub-{LABEL}", name)
        and name.removeprefix("sub-") not in exclude
    ]
    if bad:
        raise WorkflowFailure(
            f"{source} has a folder {bad[0]!r}, which is not sub-<label> with a label of letters, "
            f"digits and '+'{f' ({len(bad)} such folders)' if len(bad) > 1 else ''}.",
            hint=f"rename it in the dataset, or add {bad[0].removeprefix('sub-')!r} to "
            "subjects.exclude.",
        )


# --- for people ---------------------------------------------------------------


def count_reasons(excluded: Iterable[Excluded], *, named: int = 3) -> list[str]:
    """A line for each reason: how many units it left out, and the first of them.

    The most frequent reasons come first.  The text is as short for 50,000
    subjects as for five.
    """
    units: dict[str, list[str]] = {}
    for unit, reason in excluded:
        units.setdefault(reason, []).append(unit)
    by_number = sorted(units.items(), key=lambda item: (-len(item[1]), item[0]))
    lines = []
    for reason, left in by_number[:10]:
        lines.append(f"{len(left)}: {reason} ({a_few(left, named)})")
    if by_number[10:]:
        number = sum(len(left) for _, left in by_number[10:])
        lines.append(f"{number}: {len(by_number) - 10} other reasons")
    return lines
