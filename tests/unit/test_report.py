"""The report's parts: causes, the page's data, files that hold anything."""

import json

from bidsloom.base.errors import FailureClass
from bidsloom.base.files import read_json, write_json
from bidsloom.records.attempts import Attempt
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.causes import find_causes
from bidsloom.reporting.report_page import Pages, clean, script_json
from bidsloom.reporting.unit_states import Notes, Row, describe_unit


def failed(unit: str, line: str, **facts) -> Row:
    """A unit whose app failed with a last line."""
    facts = {"failure_class": "app_error", "exit_code": 1} | facts
    reason = f"app failed for {unit} with exit code {facts['exit_code']}."
    return Row(unit, UnitState.FAILED, reason=reason, log=("...", line, ""), **facts)


def test_units_that_fail_alike_are_one_cause():
    """Names and numbers differ between units, not their trouble."""
    rows = [
        failed("sub-01", "KeyError: sub-01 has no 'RepetitionTime' at 0x7f3a"),
        failed("sub-22", "KeyError: sub-22 has no 'RepetitionTime' at 0x81bc"),
        failed("sub-03", "MemoryError"),
        failed("sub-04", "KeyError: sub-04 has no 'RepetitionTime' at 0x1", exit_code=2),
        Row("sub-05", UnitState.MERGED),
        Row("sub-06", UnitState.EXCLUDED, reason="no anatomical image"),
        Row("sub-07", UnitState.EXCLUDED, reason="no anatomical image"),
        Row("sub-08", UnitState.WITHDRAWN, reason="a reason"),
    ]
    causes = find_causes(rows)
    assert [
        ("failed", ("sub-01", "sub-22")),
        ("failed", ("sub-03",)),
        ("failed", ("sub-04",)),
        ("excluded", ("sub-06", "sub-07")),
        (UnitState.WITHDRAWN, ("sub-08",)),
    ] == [(cause.state, cause.units) for cause in causes]
    assert "KeyError: sub-01 has no 'RepetitionTime' at 0x7f3a" == causes[0].last_line


def test_scheduler_failures_are_told_apart_by_their_reason():
    """What SLURM's log ends with says less than why the job ended."""
    rows = [
        Row(
            f"sub-0{n}",
            UnitState.FAILED,
            "timeout",
            reason=f"SLURM job 8{n} of sub-0{n} ran out of time",
        )
        for n in range(3)
    ]
    assert [3] == [len(cause.units) for cause in find_causes(rows)]


def test_data_cannot_end_its_script_and_arrives_whole():
    evil = {"unit": "</script><script>alert(1)</script>", "log": ["ä \udcff & \u2028 <!-- '\""]}
    text = script_json(evil)
    assert "<" not in text and "&" not in text and text.isascii()
    assert evil == json.loads(text)


def test_terminal_colours_are_left_out():
    assert "\tred alert" == clean("\t\x1b[31mred\x1b[0m alert\x07")


def test_records_hold_names_that_are_not_utf8(tmp_path):
    write_json(tmp_path / "record.json", {"message": "file \udce4.nii"})
    assert {"message": "file \udce4.nii"} == read_json(tmp_path / "record.json")


def test_pages_of_units():
    """A report is its subject's, a session's, or one of several of a unit."""
    files = ["sub-1.html", "sub-1_ses-a_T1w.html", "sub-2_T1w.html", "ses-c/sub-1.html"]
    pages = Pages.of(files)
    assert ["sub-1.html", "sub-1_ses-a_T1w.html"] == pages.of_unit("sub-1")
    assert ["sub-1_ses-a_T1w.html"] == pages.of_unit("sub-1_ses-a")
    assert ["sub-1.html"] == pages.of_unit("sub-1_ses-b")
    assert ["sub-2_T1w.html"] == pages.of_unit("sub-2")
    assert ["ses-c/sub-1.html"] == pages.of_unit("sub-1_ses-c")
    assert [] == pages.of_unit("sub-3")


def test_failed_unit_tells_its_attempts():
    attempt = Attempt(
        unit="sub-1",
        failure_class=FailureClass.APP_ERROR,
        exit_code=3,
        message="It failed. Its last lines:\nx",
    )
    row = describe_unit(Notes("sub-1", None, [attempt, attempt]), merged=set(), left={})
    assert ("failed", 2, "It failed.") == (row.state, row.attempts, row.reason)
    told = {"failure_class": "app_error", "exit_code": 3, "message": "It failed."}
    assert [told, told] == row.to_json()["history"]
