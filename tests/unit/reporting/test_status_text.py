"""What is shown of the states of units, and the exit code."""

import pytest
from bidsloom.config import read_study
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.status_text import count_states, exit_code, status_text, time_left
from bidsloom.reporting.unit_states import Row
from helpers.old_config import OLD


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["merged", "excluded", "withdrawn"], 0),
        (["merged", "failed", "waiting"], 1),
        (["merged", "failed", "running"], 2),
        (["merged", "done"], 2),
        (["merged", "lost"], 1),
    ],
)
def test_exit_code(states, code):
    assert code == exit_code(Row(f"sub-{n}", UnitState(state)) for n, state in enumerate(states))


def test_counts_come_first_and_thousands_are_not_listed(tmp_path):
    study = read_study(OLD, base=tmp_path)
    rows = [Row(f"sub-{n}", UnitState.MERGED) for n in range(9000)]
    rows += [
        Row(f"sub-{n}", UnitState.FAILED, failure_class="app_error") for n in range(9000, 9100)
    ]
    rows.append(Row("sub-x", UnitState.RUNNING, node="node7", job="12"))
    lines = status_text(rows, study).splitlines()
    assert lines[0].endswith("9,000 merged, 1 running, 100 failed")
    assert len(lines) < 50
    assert "and 70 more" in lines[-1]
    assert status_text(rows, study, shown="failed").count("app_error") == 100
    assert status_text(rows, study, shown="all").count("sub-") == 9101
    assert list(count_states([*rows, Row("sub-w", UnitState.WITHDRAWN)]))[-1] == "withdrawn"


@pytest.mark.parametrize(
    ("running", "told"), [(0, ""), (1, "; about 3 h 0 min left"), (9, "; about 1 h 40 min left")]
)
def test_time_left(running, told):
    """As long as the others took, side by side as many as there are now."""
    rows = [
        Row(f"sub-{n}", UnitState.MERGED, seconds=seconds)
        for n, seconds in enumerate((60, 1200, 9e9))
    ]
    rows += [Row(f"sub-r{n}", UnitState.RUNNING) for n in range(running)]
    rows += [Row(f"sub-w{n}", UnitState.WAITING) for n in range(8 if running == 1 else 36)]
    assert told == time_left(rows)
