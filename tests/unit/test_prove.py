"""What is drawn to be computed again, and what is told of it."""

from dataclasses import replace

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.datasets.branches import Entry, Result
from bidsloom.proof.outcome import describe_proof, refuse_difference, unit_lines
from bidsloom.proof.prove import Comparison, compare, draw, why_failed
from bidsloom.records.proof import Proof, ProofState, UnitProof
from bidsloom.units.unit import Unit

UNITS = [
    (Unit(f"sub-{n:02}", f"{n:02}", None, "", "", 0, 0), Result(f"sub-{n:02}", f"c{n}", ""))
    for n in range(20)
]


def names(drawn) -> list[str]:
    return [unit.name for unit, _ in drawn]


def test_draw_follows_from_the_seed():
    """The same seed draws the same units, another one others; never more than there are."""
    first = draw(UNITS, number=5, seed=1)
    assert names(first) == names(draw(UNITS, number=5, seed=1))
    assert names(first) != names(draw(UNITS, number=5, seed=2))
    assert len(set(names(first))) == 5
    assert draw(UNITS, number=50, seed=1) == UNITS


def test_comparison_names_every_path():
    """Other content, another mode, absent and new: each is told."""
    old = {path: Entry("100644", "1") for path in ("same", "content", "mode", "gone")}
    new = {
        "same": Entry("100644", "1"),
        "content": Entry("100644", "2"),
        "mode": Entry("120000", "1"),
        "new": Entry("100644", "1"),
    }
    assert compare(old, new) == Comparison(("content", "mode"), ("gone",), ("new",))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            "get(ok): a (file)\nno brain\nrun(error): /x (dataset) [app]\naction summary:\n  run (error: 1)",
            "no brain",
        ),
        (
            "get(error): raw/a.nii (file) [not available]\nget(impossible): b [gone]\naction summary:\n",
            "get(impossible): b [gone]",
        ),
        ("Traceback\nValueError: voxels\n", "ValueError: voxels"),
    ],
)
def test_cause_of_a_failed_rerun(said, why):
    assert why == why_failed(said)


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
