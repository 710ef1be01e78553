"""The tables `subjects.tsv` and `excluded.tsv`: one sorted row for each unit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.files import find_row, write_tsv
from ..config import Study
from .unit import Unit, Units

UNIT_COLUMNS = ["unit", "subject", "session", "tree", "files", "bytes", "inherited", "further"]


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
    """One unit from `subjects.tsv`; the dataset itself is not read.

    Raises `WorkflowFailure` where the table does not list it.
    """
    if row := find_row(study.files.subjects, unit=name):
        return Unit(
            name=name,
            subject=row["subject"],
            session=None if row["session"] == "n/a" else row["session"],
            tree=row["tree"],
            inherited=row["inherited"],
            files=int(row["files"]),
            bytes=int(row["bytes"]),
            further=tuple(
                (path, mark)
                for path, _, mark in (
                    pair.rpartition("=") for pair in row["further"].split() if pair != "n/a"
                )
            ),
        )
    raise WorkflowFailure(
        f"{name} is not a unit of study {study.name}: it is not listed in {study.files.subjects}.",
        hint="run `snakemake list_subjects` first, and see excluded.tsv there.",
    )
