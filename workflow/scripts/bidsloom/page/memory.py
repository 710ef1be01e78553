"""Notes on units that are remembered: only files that have changed are read again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from ..base.errors import WorkflowFailure
from ..config import Study
from ..datasets.output_datasets import main_output
from ..records.attempts import Attempt, read_attempts
from ..records.job_record import JobRecord, read_record_file
from ..records.unit_state import UnitState
from ..reporting.live_status import StoreContents, read_store
from ..reporting.unit_states import Notes, Row, collect_rows, describe_unit, list_units
from ..scheduling.in_progress import Work, find_queued

Value = TypeVar("Value")
# A folder may change once more within the same tick of its file system's clock.
TICK_NS = 2_000_000_000
# Of a unit without any: always the same object.
NO_ATTEMPTS: tuple[Attempt, ...] = ()
# How long what is asked of a store on another machine is good for.
STORE_SECONDS = 20.0


def stamp(path: Path) -> tuple[int, int, int]:
    """When a file was changed, with its size and number; zeros where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


class Folder(Generic[Value]):
    """What the JSON files of a folder hold; every file is replaced as a whole, so it has a stamp.

    `version` is another number whenever a value has changed.
    """

    def __init__(self, read: Callable[[Path], Value]) -> None:
        self.values: dict[str, Value] = {}
        self.version = 0
        self._read = read
        self._stamps: dict[str, tuple[int, int, int]] = {}
        self._seen = 0

    def refresh(self, path: Path) -> None:
        """Read the files that are new or have changed."""
        changed = stamp(path)[0]
        if changed and changed == self._seen:
            return
        stamps = {}
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.endswith(".json") and not entry.name.startswith("."):
                        found = entry.stat()
                        at = (found.st_mtime_ns, found.st_size, found.st_ino)
                        stamps[entry.name[:-5]] = at
        except OSError:
            stamps = {}
        for name in self._stamps.keys() - stamps.keys():
            del self.values[name]
        for name, at in stamps.items():
            if self._stamps.get(name) != at:
                self.values[name] = self._read(path / f"{name}.json")
        if stamps != self._stamps:
            self.version += 1
        self._stamps = stamps
        self._seen = changed if time.time_ns() - changed > TICK_NS else 0


class Memory:
    """The notes of one study, and what its store holds."""

    def __init__(self, study: Study) -> None:
        self._records: Folder[JobRecord | None] = Folder(read_record_file)
        self._attempts: Folder[list[Attempt]] = Folder(lambda p: read_attempts(study, p.stem))
        self._rows: Sequence[Row] = ()
        self._described: dict[str, tuple[tuple, Row, Notes]] = {}
        self._units: tuple[object, list[str]] = (None, [])
        self._made_from: object = None
        # When it was asked, how long that took, and what it said.
        self._queue: tuple[float, float, list[Work] | WorkflowFailure | None] = (0.0, 0.0, None)
        self._held: StoreContents | None = None
        self._asked = -STORE_SECONDS

    def rows(self, study: Study) -> Sequence[Row]:
        """A row for every unit; the same object where no note has changed."""
        files = study.files
        self._records.refresh(files.records)
        self._attempts.refresh(files.attempts("any").parent)
        tables = (files.subjects, files.excluded, files.units, files.merged, files.unmerged)
        key = (self._records.version, self._attempts.version, [stamp(path) for path in tables])
        if key != self._made_from:
            listed = (study, [stamp(path) for path in (files.subjects, files.units)])
            if self._units[0] != listed:
                self._units = (listed, list_units(study))
            records, attempts = self._records.values, self._attempts.values
            notes = (
                Notes(unit, records.get(unit), attempts.get(unit, NO_ATTEMPTS))
                for unit in self._units[1]
            )
            self._rows = collect_rows(study, notes, describe=self._describe)
            self._made_from = key
        return self._rows

    def _describe(
        self,
        notes: Notes,
        *,
        merged: Collection[str],
        left: Mapping[str, str],
        held: Mapping[str, Sequence[str]],
        held_state: UnitState,
    ) -> Row:
        """A unit's row; the one from before where its notes and the merge say the same."""
        unit = notes.unit
        # Notes that did not change are the same objects.
        told = (
            *(id(notes.record), id(notes.attempts), unit in merged),
            *(left.get(unit), held.get(unit), held_state),
        )
        known = self._described.get(unit)
        if known is None or known[0] != told:
            row = describe_unit(notes, merged=merged, left=left, held=held, held_state=held_state)
            # With the notes themselves: another object could get their ids.
            known = self._described[unit] = (told, row, notes)
        return known[1]

    def queue(self, study: Study) -> Sequence[Work]:
        """The jobs in SLURM's queue; a slow one is asked less often.

        Raises `WorkflowFailure` where SLURM does not answer.
        """
        now = time.monotonic()
        asked, took, found = self._queue
        # Asking takes a tenth of the time at most: others wait for the same answers.
        if found is None or now - asked > 9 * took:
            try:
                found = find_queued(study)
            except WorkflowFailure as e:
                found = e
            self._queue = (time.monotonic(), time.monotonic() - now, found)
        if isinstance(found, WorkflowFailure):
            raise WorkflowFailure(found.message, hint=found.hint)
        return found

    def store(self, study: Study) -> StoreContents | None:
        """What the output store holds; one on another machine is asked now and then."""
        if main_output(study).store.repository is not None:
            return read_store(study)
        if time.monotonic() - self._asked > STORE_SECONDS:
            self._asked = time.monotonic()
            self._held = read_store(study)
        return self._held
