"""States, from which counts and exit codes follow."""

import json

from bidsloom.records.unit_state import UnitState


def test_a_state_is_text_with_a_kind():
    """Programs read its name; each state is troubled, at work, outside, or none of these."""
    assert '"failed"' == json.dumps(UnitState.FAILED)
    assert "failed" == f"{UnitState.FAILED}" == UnitState("failed")
    assert ["failed", "incomplete", "unmerged", "lost"] == [s for s in UnitState if s.is_troubled]
    assert ["running", "queued"] == [s for s in UnitState if s.is_at_work]
    assert ["excluded", "withdrawn"] == [s for s in UnitState if s.is_outside]
    assert list(UnitState) == sorted(UnitState, key=lambda state: state.order)
