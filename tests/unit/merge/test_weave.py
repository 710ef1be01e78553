"""Which job branches are merged, and what main holds afterwards."""

import pytest
from bidsloom.datasets.branches import Branch, Entry, Result
from bidsloom.merge.weave import decide

SHARED = ["out/*.json", "out/logs/*"]


def branch(unit: str, **files: str) -> Branch:
    """A result with files (`a_b` stands for out/a/b) and their blobs."""
    entries = {
        "out/" + name.replace("_", "/"): Entry("100644", blob) for name, blob in files.items()
    }
    return Branch(Result(unit, f"commit-of-{unit}", "f"), entries, frozenset())


def test_disjoint_branches_are_merged():
    weave = decide([branch("sub-1", a="x"), branch("sub-2", b="y")], held={}, shared=SHARED)
    assert [b.result.unit for b in weave.merged] == ["sub-1", "sub-2"]
    assert weave.left == {}


def test_identical_content_is_no_conflict():
    weave = decide([branch("sub-1", a="x"), branch("sub-2", a="x")], held={}, shared=[])
    assert weave.left == {}


def test_conflict_names_path_and_both_units():
    """Both newcomers stay out; a third is merged."""
    three = [branch("sub-1", a="x"), branch("sub-2", a="y"), branch("sub-3", b="z")]
    weave = decide(three, held={}, shared=[])
    assert [b.result.unit for b in weave.merged] == ["sub-3"]
    assert weave.left["sub-1"] == "conflict: out/a was also written by sub-2"
    assert weave.left["sub-2"] == "conflict: out/a was also written by sub-1"


def test_what_main_holds_wins_over_a_newcomer():
    weave = decide([branch("sub-2", a="y")], held={"sub-1": branch("sub-1", a="x")}, shared=[])
    assert weave.left["sub-2"] == "conflict: out/a was also written by sub-1"


@pytest.mark.parametrize("late", ["sub-1", "sub-2"])
def test_shared_file_does_not_depend_on_who_came_first(late):
    """Whichever unit is merged later, the first unit's content stands."""
    both = {"sub-1": branch("sub-1", logs_c="one"), "sub-2": branch("sub-2", logs_c="two")}
    held = {unit: b for unit, b in both.items() if unit != late}
    weave = decide([both[late]], held=held, shared=SHARED)
    assert [{"out/logs/c": Entry("100644", "one")}] == weave.written


def test_new_result_replaces_the_old_one_whole():
    """Files that only the old result had are removed, unless somebody else has them too."""
    held = {"sub-1": branch("sub-1", a="x", gone="x", both="x"), "sub-2": branch("sub-2", both="x")}
    weave = decide([branch("sub-1", a="new")], held=held, shared=[])
    stays = Entry("100644", "x")
    new = {"out/gone": None, "out/a": Entry("100644", "new"), "out/both": stays}
    assert [new] == weave.written


@pytest.mark.parametrize("shared", [[], SHARED])
def test_file_where_another_unit_has_a_folder_is_a_conflict(shared):
    """Both cannot be in main, whatever is shared; who merged first does not matter."""
    file, folder = branch("sub-1", logs="x"), branch("sub-2", logs_c="y")
    weave = decide([file, folder], held={}, shared=shared)
    assert {
        "sub-1": "conflict: out/logs was also written by sub-2",
        "sub-2": "conflict: out/logs/c was also written by sub-1",
    } == weave.left
    weave = decide([folder], held={"sub-1": file}, shared=shared)
    assert ["sub-2"] == list(weave.left)
