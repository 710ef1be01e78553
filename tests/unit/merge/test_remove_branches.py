"""Which branches are removed after a merge."""

from bidsloom.merge.remove_branches import unmoved


def test_moved_and_missing_branches_are_left():
    there = {"a": "1", "b": "2", "unknown": "3"}
    assert {"a": "1"} == unmoved(there, {"a": "1", "b": "old", "gone": "4"})
