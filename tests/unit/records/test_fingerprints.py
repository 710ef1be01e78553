"""What a result is made from, and what is told of a change."""

import dataclasses

import pytest
from bidsloom.config import read_study
from bidsloom.records.fingerprints import (
    Fingerprints,
    changed_causes,
    describe_changes,
    made_from,
)
from helpers.old_config import OLD
from helpers.units import unit


def changed_config(**changes) -> dict:
    return {**OLD, **{k: {**OLD[k], **v} for k, v in changes.items()}}


def causes_of(**changes) -> list[str]:
    """Causes of the fingerprint that differ after a change of the configuration."""
    studies = (read_study(config) for config in (OLD, changed_config(**changes)))
    return changed_causes(*(Fingerprints(s, "key").of(unit("sub-1")) for s in studies))


def test_fingerprint_tells_the_cause():
    """Each cause by its name; what changes no result changes no fingerprint."""
    assert ["command"] == causes_of(container={"bids_args": {"n_cpus": 4}})
    assert ["environment"] == causes_of(hpc={"environment": {"VAR": "other"}})
    assert [] == causes_of(hpc={"mem": "1G", "partition": "long"}, common={"work_dir": "/x"})
    study = read_study(OLD)
    other = dataclasses.replace(unit("sub-1"), tree="another")
    before, after = (Fingerprints(study, "key").causes(u) for u in (unit("sub-1"), other))
    assert {"input"} == {cause for cause in before if before[cause] != after[cause]}
    assert Fingerprints(study, "other").image != before["image"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"n": 8}, {"n": 4}, "argument --n changed (8 -> 4)"),
        ({"n": 8}, {"n": 8, "m": True}, "argument --m added"),
        ({"n": [1, -0.5], "m": True}, {"m": True}, "argument --n removed"),
        ({"n": [1, -0.5]}, {"n": [1, -1.5]}, "argument --n changed (1 -0.5 -> 1 -1.5)"),
        ({"n": "x" * 50}, {"n": "y" * 50}, "argument --n changed"),
    ],
)
def test_changed_arguments_are_named(old, new, told):
    """With their values, where these are short."""
    before, after = (
        made_from(read_study(changed_config(container={"bids_args": a})), "key") for a in (old, new)
    )
    assert told == describe_changes(["command"], before, after)


def test_other_changes_are_named_by_their_keys():
    before = made_from(read_study(OLD), "key")
    changed = changed_config(
        container={"outputs": ["elsewhere"]}, hpc={"environment": {"VAR": "secret", "NEW": "1"}}
    )
    after = made_from(read_study(changed), "other")
    told = describe_changes(["input", "image", "command", "environment"], before, after)
    assert (
        "input changed, image changed, container.outputs changed, variable NEW added, "
        "variable VAR changed"
    ) == told
    assert "secret" not in str(after)


def test_what_is_unknown_is_told_by_its_cause():
    now = made_from(read_study(OLD), "key")
    assert "command changed" == describe_changes(["command"], None, now)
    study = read_study(OLD)
    marks = [Fingerprints(study, key).of(unit("sub-1")) for key in ("a", "b")]
    assert ["image"] == changed_causes(*marks)


def test_a_network_makes_no_result_due():
    """Neither does another call format of ours: results of earlier versions stay valid."""
    made = [
        made_from(read_study(changed_config(container={"network": n})), "key")
        for n in (True, False)
    ]
    assert made[0] == made[1]
