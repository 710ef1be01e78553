"""Units that failed for the same cause."""

from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.causes import find_causes
from bidsloom.reporting.unit_states import Row


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
