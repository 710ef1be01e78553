"""A unit's result over all datasets that its job wrote to."""

from pathlib import Path

import pytest
from bidsloom.base.runners import call_git
from bidsloom.datasets.branches import FINGERPRINT_TRAILER, UNIT_TRAILER, read_results
from bidsloom.datasets.output_datasets import OutputDataset
from bidsloom.datasets.stores import make_bare_store, store_at
from bidsloom.datasets.unit_results import list_written, read_unit_results

KEY = "MD5E-s5--0123456789abcdef0123456789abcdef"
LINK = f"../.git/annex/objects/x/y/{KEY}/{KEY}"
TRAILERS = f"result\n\n{UNIT_TRAILER}: sub-01\n{FINGERPRINT_TRAILER}: abc\n"


def commit_files(repository: Path, entries: list[str], *, parent: str = "") -> str:
    """A commit with some entries of a tree, as `git update-index --index-info` takes them."""
    env = {"GIT_INDEX_FILE": str(repository / "index-of-test")}
    (repository / "index-of-test").unlink(missing_ok=True)
    listed = "".join(f"{entry}\n" for entry in entries)
    call_git(["update-index", "--index-info"], cwd=repository, stdin=listed, env=env)
    tree = call_git(["write-tree"], cwd=repository, env=env)
    parents = ["-p", parent] if parent else []
    return call_git(["commit-tree", *parents, "-m", TRAILERS, tree], cwd=repository)


def blob(repository: Path, text: str) -> str:
    return call_git(["hash-object", "-w", "--stdin"], cwd=repository, stdin=text)


@pytest.fixture
def outputs(tmp_path):
    """An output folder that is a separate dataset, then the output dataset."""
    found = []
    for path in ("fs", ""):
        store = store_at(str(tmp_path / f"store {path}.git"), name="x")
        make_bare_store(store.mounted, "x")
        found.append(OutputDataset(path, store.mounted, store))
    return found


@pytest.fixture
def result(outputs):
    """Commits of one unit in both datasets; a file of the separate dataset is annexed."""
    inner, outer = (output.dataset for output in outputs)
    start = commit_files(inner, [])
    own = commit_files(inner, [f"120000 {blob(inner, LINK)}\tsub-01/image"], parent=start)
    base = commit_files(outer, [])
    entries = [f"100644 {blob(outer, 'text')}\tprobe/sub-01.txt", f"160000 {own}\tfs"]
    return own, commit_files(outer, entries, parent=base)


def read(outputs, commit, heads):
    repositories = {output.path: output.dataset for output in outputs}
    results = read_results(outputs[-1].dataset, [commit])
    (found,) = read_unit_results(
        outputs, results, repositories=repositories, heads={"fs": heads, "": {commit}}
    )
    return found


def test_result_joins_the_parts_of_all_datasets(outputs, result):
    own, commit = result
    found = read(outputs, commit, {own})
    assert {"fs": own, "": commit} == found.parts
    assert {"fs": [KEY], "": []} == {path: found.list_keys(path) for path in found.parts}
    ((_, written),) = list_written(outputs, [found])
    assert ["fs/sub-01/image", "probe/sub-01.txt"] == sorted(written)
    assert f"1 annexed file(s) missing in the store: {KEY}" == found.missing


def test_part_that_is_on_no_job_branch_is_missing(outputs, result):
    """The output dataset registers a commit that the other store does not have."""
    _, commit = result
    assert "its part of fs is not in that store" == read(outputs, commit, set()).missing
