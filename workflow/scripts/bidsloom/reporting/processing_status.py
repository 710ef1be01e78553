"""`processing_status.tsv`: how far each subject's session is, as nipoppy and Neurobagel read it.

The columns and the four statuses are those of nipoppy's processing status file
and of the imaging schema of Neurobagel's digest
(https://nipoppy.readthedocs.io, https://github.com/neurobagel/digest).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..base.batching import in_batches
from ..base.errors import CommandError
from ..base.files import read_json, write_tsv
from ..config import Study
from ..datasets.annex import FOLDER
from ..records.prepared import read_prepared
from ..records.unit_state import UnitState
from ..units.further_inputs import FOLDERS_PER_COMMAND, read_entries
from ..units.selection import lacks_files
from ..units.unit import GROUP, split_name
from .unit_states import Row

COLUMNS = ["participant_id", "bids_participant_id", "session_id", "bids_session_id"]
COLUMNS += ["pipeline_name", "pipeline_version", "pipeline_step", "status"]
SUCCESS, FAIL, INCOMPLETE, UNAVAILABLE = "SUCCESS", "FAIL", "INCOMPLETE", "UNAVAILABLE"
STATUS = {
    UnitState.MERGED: SUCCESS,
    UnitState.HELD: FAIL,
    UnitState.INCOMPLETE: FAIL,
    UnitState.FAILED: FAIL,
    UnitState.UNMERGED: FAIL,
    UnitState.LOST: FAIL,
    UnitState.DONE: INCOMPLETE,
    UnitState.RUNNING: INCOMPLETE,
    UnitState.QUEUED: INCOMPLETE,
    UnitState.WAITING: INCOMPLETE,
}
# As nipoppy calls them: a session of a subject without sessions, the only step of a
# pipeline.  Neither format allows an empty version.
NO_SESSION, ONLY_STEP, NO_VERSION = "unnamed", "default", "unknown"


def write_processing_status(study: Study, rows: Sequence[Row]) -> None:
    """Write the table of all units that the study processes, or cannot for want of files."""
    statuses = {row.unit: status for row in rows if (status := status_of(row))}
    sessions = list_sessions(study, statuses)
    known = read_json(study.files.app) or {}
    version = known.get("version") or NO_VERSION
    table = list_rows(statuses, sessions, name=study.container.name, version=version)
    write_tsv(study.files.processing_status, COLUMNS, table)


def status_of(row: Row) -> str | None:
    """The status of a unit; None for one that is left out on purpose, and for the group."""
    if row.unit == GROUP:
        return None
    if row.state is UnitState.EXCLUDED:
        return UNAVAILABLE if lacks_files(row.reason) else None
    return STATUS.get(row.state)


def list_sessions(study: Study, units: Iterable[str]) -> dict[str, list[str]]:
    """Unit -> the sessions of those units that are subjects with sessions, by the input's tree."""
    subjects = [unit for unit in units if split_name(unit)[1] is None]
    prepared = read_prepared(study)
    found: dict[str, list[str]] = {}
    if prepared is None:
        return found
    tree = study.input_tree(prepared.input_commit)
    for batch in in_batches(subjects, FOLDERS_PER_COMMAND):
        try:
            entries = read_entries(study.input, tree, [f"{subject}/" for subject in batch])
        except CommandError:
            return {}
        for entry in entries:
            subject, _, name = entry.path.partition("/")
            if entry.mode == FOLDER and name.startswith("ses-"):
                found.setdefault(subject, []).append(name.removeprefix("ses-"))
    return found


def list_rows(
    statuses: Mapping[str, str], sessions: Mapping[str, Sequence[str]], *, name: str, version: str
) -> Iterator[dict[str, str]]:
    """A row for each session of each unit, sorted by the units' names.

    A subject with all its sessions is one unit, whose status is that of each.
    """
    for unit, status in sorted(statuses.items()):
        subject, own = split_name(unit)
        for session in [own] if own else sessions.get(unit) or [NO_SESSION]:
            yield {
                "participant_id": subject,
                "bids_participant_id": f"sub-{subject}",
                "session_id": session,
                "bids_session_id": f"ses-{session}",
                "pipeline_name": name,
                "pipeline_version": version,
                "pipeline_step": ONLY_STEP,
                "status": status,
            }
