"""Which units of another study a unit needs, and which units that leaves out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from bidsloom.config.producer import Producer
from bidsloom.config.study import FurtherInput
from bidsloom.units.offers import DUE, Offer, join_offers
from bidsloom.units.produced_files import mark_of
from helpers.units import unit


def reading(*, required: bool = True, group: bool = False) -> FurtherInput:
    """An input that is made by the study `prep`."""
    producer = Producer("prep", Path("results/prep"), "app", "/prep.git", "out", group=group)
    return FurtherInput(
        "sourcedata/prep", "/prep.git", "", Path(), (), required, (), producer=producer
    )


@pytest.mark.parametrize(
    ("offered", "name", "expected"),
    [
        (["sub-01", "sub-02"], "sub-01", ["sub-01"]),
        (["sub-01"], "sub-01_ses-a", ["sub-01"]),
        (["sub-01_ses-a", "sub-01_ses-b", "sub-02"], "sub-01", ["sub-01_ses-a", "sub-01_ses-b"]),
        (["sub-01_ses-a", "sub-01_ses-b"], "sub-01_ses-b", ["sub-01_ses-b"]),
        (["sub-01_ses-a"], "sub-01_ses-b", []),
        (["sub-011"], "sub-01", []),
    ],
)
def test_the_units_behind_a_unit(offered, name, expected):
    """A subject's are all its sessions, a session's its own one or its subject."""
    assert expected == Offer(live=True, units=dict.fromkeys(offered, "")).behind(unit(name))


def test_with_a_group_level_all_units_read_its_result():
    """The group's commit holds every unit's files."""
    offer = Offer(live=True, units={"sub-01": "a"}, group="g")
    assert {"group": "g"} == offer.results_behind(reading(group=True), unit("sub-01"))
    assert {"sub-01": "a"} == offer.results_behind(reading(), unit("sub-01"))


@pytest.mark.parametrize(("required", "left"), [(True, ["sub-02"]), (False, [])])
def test_units_that_the_other_study_does_not_have(required, left):
    """They are left out, unless the input is not required."""
    study = SimpleNamespace(produced_inputs=(reading(required=required),))
    offers = {"sourcedata/prep": Offer(live=True, units={"sub-01": ""})}
    joined, excluded = join_offers([unit("sub-01"), unit("sub-02")], study, offers)
    assert left == [name for name, _ in excluded]
    assert {"sub-01", "sub-02"} - set(left) == {each.name for each in joined}


def test_a_result_that_is_still_to_be_made_marks_its_unit():
    """Otherwise the mark depends on what the results hold, not on their commits."""
    digests = {"sub-01 a": "1", "sub-01 b": "1", "sub-01 c": "2"}
    marks = [mark_of(unit("sub-01"), {"sub-01": commit}, digests) for commit in "abc"]
    assert marks[0] == marks[1] != marks[2]
    assert DUE == mark_of(unit("sub-01"), {"sub-01": ""}, digests)
