"""A study that was looked at: its units, and what their results must be made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .bids import Unit, Units
from .config import Study
from .errors import WorkflowFailure
from .fingerprints import fingerprint, fingerprint_text
from .records import find_row, write_tsv

UNIT_COLUMNS = ["unit", "subject", "session", "tree", "files", "bytes", "inherited", "further"]


@dataclass(frozen=True)
class OpenStudy:
    """A study that was looked at: its units, and the image they run with.

    `done` names the units whose record tells of a result that still holds,
    `why` tells of each other one why it is due, `withdrawn` names those that
    main holds and the input does not any more.
    """

    study: Study
    units: Units
    image_id: str
    # Path of each further input -> its commit.
    further: Mapping[str, str] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    why: Mapping[str, str] = field(default_factory=dict)
    withdrawn: tuple[str, ...] = ()

    def fingerprint(self, name: str) -> str:
        """The fingerprint that a unit's result must have now."""
        return unit_fingerprint(self.study, self._by_name[name], self.image_id)

    @property
    def names(self) -> list[str]:
        """Names of the units, sorted."""
        return list(self._by_name)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {unit.name: unit for unit in self.units.units})


def unit_fingerprint(study: Study, unit: Unit, key: str) -> str:
    """The fingerprint of a unit under a study and an image, as trailers hold it."""
    return fingerprint_text(fingerprint(study, unit, key))


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


def write_unit_tables(units: Units, *, subjects: Path, excluded: Path) -> None:
    """Write `subjects.tsv` and `excluded.tsv`."""
    rows = (
        {
            "unit": u.name,
            **dataclasses.asdict(u),
            "further": " ".join(f"{path}={mark}" for path, mark in u.further),
        }
        for u in units.units
    )
    write_tsv(subjects, UNIT_COLUMNS, rows)
    write_tsv(
        excluded,
        ["unit", "reason"],
        ({"unit": name, "reason": reason} for name, reason in units.excluded),
    )


def read_unit(study: Study, name: str) -> Unit:
    """One unit from `subjects.tsv`, without a look at the dataset."""
    if row := find_row(study.results / "subjects.tsv", unit=name):
        return Unit(
            name=name,
            subject=row["subject"],
            session=None if row["session"] == "n/a" else row["session"],
            tree=row["tree"],
            inherited=row["inherited"],
            files=int(row["files"]),
            bytes=int(row["bytes"]),
            further=tuple(
                tuple(pair.rsplit("=", 1)) for pair in row["further"].split() if pair != "n/a"
            ),
        )
    raise WorkflowFailure(
        f"{name} is not a unit of study {study.name}: it does not stand in "
        f"{study.results / 'subjects.tsv'}.",
        hint="run `snakemake list_subjects` first, and see excluded.tsv there.",
    )
