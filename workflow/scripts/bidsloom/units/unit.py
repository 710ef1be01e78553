"""A unit, which is a subject or one session of a subject; its name and the parts of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The name of the unit of the app's group level, which reads all units' results.
GROUP = "group"
LABEL = "[A-Za-z0-9+]+"
UNIT = f"sub-{LABEL}(_ses-{LABEL})?"

# The label of recordings of the empty room, which BIDS keeps as those of a subject.
EMPTY_ROOM = "emptyroom"


@dataclass(frozen=True)
class Unit:
    """A subject, or one session of a subject: what one job processes.

    Attributes
    ----------
    tree : str
        Git tree id of the unit's folder at the pinned commit; where the folder
        is a dataset of its own, the commit that is registered there.
    inherited : str
        Digest of the files above that folder that its images inherit from.
    files, bytes : int
        Number and size of the files in that folder; the size of annexed files
        comes from their keys.  Files of a dataset that was not looked into do
        not count.
    further : tuple[tuple[str, str], ...]
        Path of each further input that has files of the unit, with a digest
        of what the unit gets from there.

    """

    name: str
    subject: str
    session: str | None
    tree: str
    inherited: str
    files: int
    bytes: int
    further: tuple[tuple[str, str], ...] = ()

    @property
    def is_group(self) -> bool:
        """True for the unit of the app's group level."""
        return self.name == GROUP

    @property
    def folder(self) -> str:
        """The unit's folder, relative to the input dataset."""
        return folder_of(self.name)


@dataclass(frozen=True)
class Units:
    """The units of one commit, and those left out (unit, reason).

    `unreadable` names those of them whose dataset cannot be looked into.
    """

    commit: str
    units: tuple[Unit, ...]
    excluded: tuple[tuple[str, str], ...]
    unreadable: tuple[str, ...] = ()


def unit_name(label: str) -> str:
    """A unit's name from `001`, `sub-001`, `001_ses-pre` or `sub-001_ses-pre`."""
    name = label.strip()
    return name if re.match(r"sub-|group$", name) else f"sub-{name}"


def split_name(unit: str) -> tuple[str, str | None]:
    """The labels of subject and session in a unit's name."""
    subject, _, session = unit.partition("_ses-")
    return subject.removeprefix("sub-"), session or None


def join_name(subject: str, session: str | None) -> str:
    """A unit's name, from the labels of subject and session."""
    return f"sub-{subject}_ses-{session}" if session else f"sub-{subject}"


def subject_of(unit: str) -> str:
    """The name of a unit's subject: `sub-01` of `sub-01` and of `sub-01_ses-pre`."""
    return unit.partition("_")[0]


def folder_of(unit: str) -> str:
    """A unit's folder, relative to the dataset: `sub-01/ses-pre` of `sub-01_ses-pre`."""
    return unit.replace("_", "/", 1)
