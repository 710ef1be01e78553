"""Which paths are looked up in main."""

from bidsloom.datasets.branches import Branch, Entry, Result
from bidsloom.merge.main_contents import contested_paths


def branch(unit: str, **files: str) -> Branch:
    """A result with files and their blobs."""
    entries = {name: Entry("100644", blob) for name, blob in files.items()}
    return Branch(Result(unit, f"commit-of-{unit}", "f"), entries, frozenset())


def test_only_what_a_newcomer_changes_is_asked_of_main():
    """New paths and files that main has just so are nobody's concern."""
    tree = {"same": Entry("100644", "x"), "other": Entry("100644", "x")}
    newcomer = branch("sub-1", same="x", other="y", new="z")
    assert {"other"} == contested_paths([newcomer], old=[], tree=tree)


def test_all_of_a_replaced_result_is_asked_of_main():
    old = branch("sub-1", same="x", gone="x")
    tree = {"same": Entry("100644", "x"), "gone": Entry("100644", "x")}
    assert {"same", "gone"} == contested_paths([branch("sub-1", same="x")], old=[old], tree=tree)
