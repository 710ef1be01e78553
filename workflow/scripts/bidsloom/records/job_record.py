"""The record of a unit's result: `results/<study>/jobs/<unit>.json`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..base.files import read_json, write_json
from ..config import Study
from .job_facts import JobFacts


@dataclass(frozen=True, kw_only=True)
class JobRecord(JobFacts):
    """A unit's result, and the job that made it.

    `reused` says that the job found the result in the store, `restored` that
    the record was lost and is written again from what the store holds.
    `incomplete` are the reasons why it is not complete, `left_out` says of
    entries that the app wrote why they are not in the commit, `notes` what was
    changed to save others.
    """

    commit: str = ""
    reused: bool = False
    restored: bool = False
    incomplete: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What is known, for a file."""
        return {**super().to_json(), "commit": self.commit, "fingerprint": self.fingerprint}

    @classmethod
    def from_json(cls, unit: str, value: Mapping[str, Any]) -> Self:
        """The record that a file holds, of this version or an earlier one."""
        lists = {name: tuple(value[name]) for name in ("incomplete", "notes") if value.get(name)}
        return super().from_json(unit, {**value, **lists})


def read_record(study: Study, unit: str) -> JobRecord | None:
    """The record of a unit's result, or None."""
    return read_record_file(study.files.record(unit))


def list_records(study: Study) -> list[JobRecord]:
    """The records of all units that have one."""
    found = map(read_record_file, sorted(study.files.records.glob("*.json")))
    return [record for record in found if record]


def list_newer(study: Study, units: Iterable[str], than: Path) -> list[Path]:
    """The records of some units that were written after a file; none where that is missing."""
    wanted = {f"{unit}.json" for unit in units}
    if not wanted or not than.exists():
        return []
    when = than.stat().st_mtime_ns
    with os.scandir(study.files.records) as entries:
        found = [e for e in entries if e.name in wanted and e.stat().st_mtime_ns > when]
    return sorted(Path(entry.path) for entry in found)


def read_superseded(study: Study, unit: str) -> JobRecord | None:
    """The record of a unit's earlier result, which does not hold any more, or None."""
    return read_record_file(study.files.superseded(unit))


def read_record_file(path: Path) -> JobRecord | None:
    """A record, or None where the file is missing or cut short."""
    value = read_json(path)
    return JobRecord.from_json(path.stem, value) if isinstance(value, Mapping) else None


def write_record(study: Study, record: JobRecord) -> None:
    """Write the record of a unit's result."""
    write_json(study.files.record(record.unit), record.to_json())
