"""What crash files say, put together: many units may crash in one place for one reason.

The crash files are those of nipype, by which many BIDS Apps are built: text
with the node that crashed, its inputs and a traceback.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..base.errors import CommandError
from ..config import Study
from ..datasets.output_datasets import list_outputs
from ..datasets.stored_files import list_result_files
from ..merge.hold import unit_of
from ..records.evidence import crash_files, list_evidence, open_inside, units_with_evidence
from ..records.unit_state import UnitState
from ..units.completeness import select
from .causes import without_varying
from .unit_states import Row

# At most so many crash files are read, and so many units with results that are not complete.
FILES = 2000
UNITS = 200
# Of a large file the start (with the node's name) and the end are read.
START, END = 4096, 65536
NODE = re.compile(rb"^Node: *(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class CrashFile:
    """One crash file: whose it is, the node that crashed, and its last line."""

    unit: str
    node: str
    last_line: str


@dataclass(frozen=True)
class Crash:
    """Crash files that end alike; the last line is that of the first one."""

    last_line: str
    nodes: tuple[str, ...]
    units: tuple[str, ...]
    files: int


def find_crashes(study: Study, rows: Sequence[Row]) -> list[Crash]:
    """What the crash files of failed attempts and of incomplete results say."""
    return group_crashes([*read_evidence(study, rows), *read_incomplete(study, rows)])


def group_crashes(files: Iterable[CrashFile]) -> list[Crash]:
    """Crash files that end alike together, most units first."""
    alike: dict[str, list[CrashFile]] = {}
    for file in files:
        key = without_varying(file.last_line, file.unit)
        alike.setdefault(key, []).append(file)
    crashes = [
        Crash(
            last_line=found[0].last_line,
            nodes=tuple(dict.fromkeys(file.node for file in found if file.node)),
            units=tuple(dict.fromkeys(file.unit for file in found)),
            files=len(found),
        )
        for found in alike.values()
    ]
    return sorted(crashes, key=lambda crash: (-len(crash.units), crash.units))


def parse_crash(unit: str, start: bytes, end: bytes) -> CrashFile | None:
    """A crash file by its start and its end; None for one that is no text, as a pickle.

    Of a node's name, which has those of all workflows around it, the last part
    is kept: the others differ between units.
    """
    if b"\0" in end or start.startswith(b"\x1f\x8b"):
        return None
    node = NODE.search(start)
    lines = [line.strip() for line in end.decode(errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    name = node[1].decode(errors="replace").rpartition(".")[2] if node else ""
    return CrashFile(unit, name, last) if last else None


def read_evidence(study: Study, rows: Sequence[Row]) -> Iterator[CrashFile]:
    """The crash files of each unit's newest attempt of which there is evidence."""
    there, read = units_with_evidence(study), 0
    for row in rows:
        if row.unit not in there:
            continue
        for attempt, paths in list(list_evidence(study, row.unit).items())[:1]:
            folder = study.files.evidence_of(row.unit) / str(attempt)
            for path in crash_files(study.container, unit_of(row.unit), paths):
                if (read := read + 1) > FILES:
                    return
                try:
                    with open_inside(folder, path) as f:
                        start = f.read(START)
                        size = f.seek(0, 2)
                        f.seek(max(0, size - END))
                        crash = parse_crash(row.unit, start, f.read())
                except (OSError, ValueError):
                    continue
                if crash:
                    yield crash


def read_incomplete(study: Study, rows: Iterable[Row]) -> Iterator[CrashFile]:
    """The crash files of results that are not complete, from the store."""
    crashed = {
        row.commit: row.unit
        for row in rows
        if row.commit
        and row.state in (UnitState.INCOMPLETE, UnitState.HELD)
        and any(reason.startswith("crash file ") for reason in row.reasons)
    }
    commits = list(crashed)[:UNITS]
    try:
        for commit, files in list_result_files(list_outputs(study), commits).items():
            unit = crashed[commit]
            paths = select(
                study.container.crash_files, study.container, unit_of(unit), files.entries
            )
            for file in files.locate(paths).values():
                if file.size <= 2**20:
                    text = file.read()
                    if crash := parse_crash(unit, text[:START], text[-END:]):
                        yield crash
    except (CommandError, OSError):
        return
