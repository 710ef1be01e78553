"""Which folders a merge opens, and which it takes by their trees."""

import pytest
from bidsloom.base.runners import call_git
from bidsloom.datasets.branches import Entry, Result
from bidsloom.datasets.trees import write_tree
from bidsloom.merge.main_contents import read_contents
from bidsloom.merge.outlines import outline


class Dataset:
    """A repository in which commits are made of paths and texts."""

    def __init__(self, path):
        self.path = path
        call_git(["init", "-q", "--bare"], cwd=path)
        self.empty = call_git(["mktree"], cwd=path, stdin="")

    def blob(self, text):
        command = ["hash-object", "-w", "--stdin"]
        return Entry("100644", call_git(command, cwd=self.path, stdin=text))

    def commit(self, files, *, on=""):
        tree = call_git(["rev-parse", f"{on}^{{tree}}"], cwd=self.path) if on else self.empty
        changes = {p: text if text is None else self.blob(text) for p, text in files.items()}
        tree = write_tree(self.path, tree, changes)
        parents = ["-p", on] if on else []
        return call_git(["commit-tree", tree, *parents, "-m", "x"], cwd=self.path)

    def result(self, unit, files, *, on):
        return Result(unit, self.commit(files, on=on), "f")

    def tree(self, commit, path):
        return Entry("040000", call_git(["rev-parse", f"{commit}:{path}"], cwd=self.path))


@pytest.fixture
def dataset(tmp_path):
    return Dataset(tmp_path)


@pytest.fixture
def base(dataset):
    return dataset.commit({"README": "text"})


def test_folder_of_one_unit_is_one_entry(dataset, base):
    """Only what several units write to is opened, down to the files."""
    files = {f"out/sub-{n}/{name}": f"{n}" for n in (1, 2) for name in ("a", "b/c")}
    one, two = (
        dataset.result(
            f"sub-{n}",
            {p: t for p, t in files.items() if f"sub-{n}/" in p} | {"out/logs/x": "same"},
            on=base,
        )
        for n in (1, 2)
    )
    found = outline(dataset.path, base, [one, two])
    same = dataset.blob("same")
    assert {
        "out/sub-1": dataset.tree(one.commit, "out/sub-1"),
        "out/logs/x": same,
    } == found.written[one.commit]
    assert found.written[two.commit].keys() == {"out/sub-2", "out/logs/x"}
    assert {} == found.main


def test_folder_that_main_holds_otherwise_is_opened(dataset, base):
    """Somebody put a file there: the unit's files are written beside it."""
    main = dataset.commit({"out/sub-1/note": "by hand", "out/sub-1/a": "1"}, on=base)
    result = dataset.result("sub-1", {"out/sub-1/a": "1", "out/sub-1/b": "2"}, on=base)
    found = outline(dataset.path, main, [result])
    assert {
        "out/sub-1/a": dataset.blob("1"),
        "out/sub-1/b": dataset.blob("2"),
    } == found.written[result.commit]
    assert {"out/sub-1/a": dataset.blob("1")} == found.main


def test_changed_and_removed_files_of_the_start_are_entries(dataset, base):
    """A result that does not only add files."""
    start = dataset.commit({"code/x": "1", "code/y": "1"}, on=base)
    result = dataset.result("sub-1", {"code/x": "2", "code/y": None}, on=start)
    found = outline(dataset.path, start, [result])
    gone = Entry("000000", "0" * 40)
    assert {"code/x": dataset.blob("2"), "code/y": gone} == found.written[result.commit]


def test_unit_below_another_ones_folder_is_seen(dataset, base):
    """A merged unit wrote into the folder of the unit that is replaced."""
    old = dataset.result("sub-1", {"out/sub-1/a": "old", "out/sub-1/both": "x"}, on=base)
    guest = dataset.result("sub-2", {"out/sub-1/both": "x", "out/sub-2/a": "2"}, on=base)
    main = dataset.commit(
        {"out/sub-1/a": "old", "out/sub-1/both": "x", "out/sub-2/a": "2"}, on=base
    )
    new = dataset.result("sub-1", {"out/sub-1/a": "new"}, on=base)
    new_files, held = read_contents(
        dataset.path,
        main,
        [new],
        {"sub-1": old, "sub-2": guest},
        replaced=["sub-1"],
        apart=[],
    )
    assert {"out/sub-1/a": dataset.blob("new")} == new_files["sub-1"].files
    assert {"out/sub-1/both": dataset.blob("x")} == held["sub-2"].files
    assert {"out/sub-1/a", "out/sub-1/both"} == held["sub-1"].files.keys()


def test_replaced_folder_is_one_entry_of_old_and_new(dataset, base):
    old = dataset.result("sub-1", {"out/sub-1/a": "old"}, on=base)
    other = dataset.result("sub-2", {"out/sub-2/a": "2"}, on=base)
    main = dataset.commit({"out/sub-1/a": "old", "out/sub-2/a": "2"}, on=base)
    new = dataset.result("sub-1", {"out/sub-1/a": "new"}, on=base)
    ledger = {"sub-1": old, "sub-2": other}
    found = read_contents(dataset.path, main, [new], ledger, replaced=["sub-1"], apart=[])
    assert {"out/sub-1": dataset.tree(new.commit, "out/sub-1")} == found.new["sub-1"].files
    assert {"out/sub-1": dataset.tree(old.commit, "out/sub-1")} == found.held["sub-1"].files
    assert found.held.keys() == {"sub-1"}
