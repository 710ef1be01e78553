"""Which units are drawn to be computed again, and how two results are compared."""

import pytest
from bidsloom.datasets.branches import Entry, Result
from bidsloom.proof.prove import Comparison, compare, draw, why_failed
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
