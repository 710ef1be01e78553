"""The table of nipoppy and Neurobagel: one row for each subject's session."""

import json
from pathlib import Path

import jsonschema
import pytest
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.processing_status import COLUMNS, list_rows, status_of
from bidsloom.reporting.unit_states import Row
from bidsloom.units.unit import GROUP

SCHEMA = json.loads((Path(__file__).parent / "processing_status.schema.json").read_text())


@pytest.mark.parametrize("state", UnitState)
def test_every_state_has_a_status_or_none_on_purpose(state):
    """One of the four, but for units that are outside of the study."""
    status = status_of(Row("sub-01", state))
    assert state.is_outside == (status is None)
    assert status in (None, *SCHEMA["properties"]["status"]["enum"])


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("no file with suffix=T1w", "UNAVAILABLE"),
        ("1 file(s) with suffix=bold; required: 2", "UNAVAILABLE"),
        ("absent from the further input sourcedata/fmriprep", "UNAVAILABLE"),
        ("no file in its folder has a BIDS name of this subject", "UNAVAILABLE"),
        ("listed in subjects.exclude", None),
        ("where: age > 40 is not true", None),
        ("beyond subjects.limit 5", None),
    ],
)
def test_left_out_units_are_unavailable_for_want_of_files_alone(reason, status):
    """Whom the user leaves out is no part of the table."""
    assert status == status_of(Row("sub-01", UnitState.EXCLUDED, reason=reason))


def test_rows_pass_the_schema():
    """A subject with sessions has a row for each; one without has nipoppy's own word for it."""
    assert status_of(Row(GROUP, UnitState.MERGED)) is None
    statuses = {"sub-02": "FAIL", "sub-01_ses-pre": "SUCCESS", "sub-03": "INCOMPLETE"}
    rows = list(list_rows(statuses, {"sub-02": ["a", "b"]}, name="app", version="1.0"))
    for row in rows:
        jsonschema.validate(row, SCHEMA)
        assert COLUMNS == list(row)
    assert [
        ("01", "pre", "SUCCESS"),
        ("02", "a", "FAIL"),
        ("02", "b", "FAIL"),
        ("03", "unnamed", "INCOMPLETE"),
    ] == [(row["participant_id"], row["session_id"], row["status"]) for row in rows]
