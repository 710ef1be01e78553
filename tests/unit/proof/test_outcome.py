"""What is said of a proof."""

from dataclasses import replace

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.proof.outcome import describe_proof, refuse_difference, unit_lines
from bidsloom.records.proof import Proof, ProofState, UnitProof


def proof(*units) -> Proof:
    return Proof(start="2026-11-25", seed=7, units=units)


SAME = UnitProof(unit="sub-01", state=ProofState.IDENTICAL, files=3)


OTHER = replace(
    SAME, unit="sub-02", state=ProofState.DIFFERS, changed=tuple(f"<{n}>" for n in range(7))
)


def test_difference_ends_with_a_letter(tmp_path):
    """A few of the paths are named; what is the same is no failure."""
    refuse_difference(proof(SAME), tmp_path)
    with pytest.raises(
        WorkflowFailure, match=r"sub-02: differs, 7 of 3 files \(<0>, .* and 2 more"
    ):
        refuse_difference(proof(SAME, OTHER), tmp_path)
    assert unit_lines([SAME]) == ["  sub-01: identical"]


def test_report_tells_a_line_a_unit():
    """Without a proof it tells nothing."""
    assert describe_proof(None) is None
    told = describe_proof(proof(SAME, OTHER))
    assert not told["identical"]
    assert [line.partition(",")[0] for line in told["lines"]] == [
        "sub-01: identical",
        "sub-02: differs",
    ]
