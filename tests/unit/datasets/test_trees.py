"""Trees are written as git itself writes them."""

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.base.runners import call_git
from bidsloom.datasets import packs
from bidsloom.datasets.branches import Entry
from bidsloom.datasets.trees import read_entries, read_trees, write_tree


@pytest.fixture
def repository(tmp_path):
    call_git(["init", "-q", "--bare"], cwd=tmp_path)
    return tmp_path


def blob(repository, text):
    return Entry("100644", call_git(["hash-object", "-w", "--stdin"], cwd=repository, stdin=text))


def tree_of(repository, files):
    """The tree of some files, as git's own index writes it."""
    env = {"GIT_INDEX_FILE": str(repository / "index-of-test")}
    (repository / "index-of-test").unlink(missing_ok=True)
    lines = "".join(f"{mode} {name}\t{path}\n" for path, (mode, name) in files.items())
    call_git(["update-index", "--index-info"], cwd=repository, env=env, stdin=lines)
    return call_git(["write-tree"], cwd=repository, env=env)


@pytest.mark.parametrize("loose", [0, 100])
def test_tree_is_what_an_index_would_write(repository, monkeypatch, loose):
    """New, changed and removed files, deep and shallow, however the objects are written."""
    monkeypatch.setattr(packs, "LOOSE_OBJECTS", loose)
    a, b = blob(repository, "a"), blob(repository, "b")
    before = {"x/a": a, "x/gone": a, "y/z/only": a, "top": a, "x.d": a, "x/é ü": b}
    changes = {"x/a": b, "x/gone": None, "y/z/only": None, "new/er/file": a, "x-y": b, "no": None}
    after = {"x/a": b, "new/er/file": a, "top": a, "x.d": a, "x/é ü": b, "x-y": b}
    wanted = tree_of(repository, after)
    assert wanted == write_tree(repository, tree_of(repository, before), changes)
    call_git(["fsck", "--strict"], cwd=repository)


def test_complete_folder_is_taken_by_its_tree(repository):
    a = blob(repository, "a")
    folder = tree_of(repository, {"deep/file": a})
    written = write_tree(
        repository, tree_of(repository, {"top": a}), {"sub-1": Entry("040000", folder)}
    )
    assert tree_of(repository, {"top": a, "sub-1/deep/file": a}) == written


def test_folder_takes_the_place_of_a_file_that_is_removed_and_of_no_other(repository):
    a = blob(repository, "a")
    before = tree_of(repository, {"x": a})
    wanted = tree_of(repository, {"x/y": a})
    assert wanted == write_tree(repository, before, {"x": None, "x/y": a})
    assert before == write_tree(repository, wanted, {"x/y": None, "x": a})
    assert before == write_tree(repository, before, {"x/gone": None})
    with pytest.raises(WorkflowFailure, match="main has a file x"):
        write_tree(repository, before, {"x/y": a})


@pytest.mark.parametrize("loose", [0, 100])
def test_written_trees_are_what_they_say(repository, monkeypatch, loose):
    """Small ones, and one that is compressed; the same tree twice is written once."""
    monkeypatch.setattr(packs, "LOOSE_OBJECTS", loose)
    a = blob(repository, "a")
    large = {f"file-{n}": a for n in range(500)}
    files = {f"large/{name}": entry for name, entry in large.items()}
    empty = call_git(["mktree"], cwd=repository, stdin="")
    root = write_tree(repository, empty, {"one/f": a, "two/f": a, **files})
    folders = read_trees(repository, [root])[root]
    assert folders["one"] == folders["two"]
    names = [folders[name].blob for name in ("one", "large")]
    assert {"f": a} == read_trees(repository, names)[names[0]]
    assert large == read_trees(repository, names)[names[1]]
    call_git(["fsck", "--strict"], cwd=repository)


def test_a_tree_that_nothing_is_left_of_is_empty(repository):
    a = blob(repository, "a")
    empty = call_git(["mktree"], cwd=repository, stdin="")
    assert empty == write_tree(repository, tree_of(repository, {"x/y": a}), {"x/y": None})


def test_entries_are_looked_up_without_listing_the_tree(repository):
    a = blob(repository, "a")
    tree = tree_of(repository, {"x/y/z": a, "top": a})
    assert {"x/y/z": a, "top": a} == read_entries(
        repository, tree, ["x/y/z", "top", "x/no", "no/x"]
    )
