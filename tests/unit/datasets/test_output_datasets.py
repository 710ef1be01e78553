"""Which dataset holds a path, and which stores belong to a study."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.base.runners import call_git
from bidsloom.datasets.output_datasets import (
    APP_SETTING,
    OUTPUT_SETTING,
    STUDY_SETTING,
    OutputDataset,
    check_output_store,
    owner_of,
)
from bidsloom.datasets.stores import make_bare_store, store_at

# What these checks read of a study.
STUDY = SimpleNamespace(name="mine", container=SimpleNamespace(name="probe"))


def output_at(folder: Path, *, path: str = "") -> OutputDataset:
    return OutputDataset(path, folder / "dataset", store_at(str(folder / "store.git"), name="x"))


def write_base(repository: Path, settings: dict[str, str]) -> None:
    """A commit with some settings on the store's branch `base`."""
    lines = "".join(
        f"[{k.rpartition('.')[0]}]\n{k.rpartition('.')[2]} = {v}\n" for k, v in settings.items()
    )
    blob = call_git(["hash-object", "-w", "--stdin"], cwd=repository, stdin=lines)
    inner = call_git(["mktree"], cwd=repository, stdin=f"100644 blob {blob}\tconfig\n")
    tree = call_git(["mktree"], cwd=repository, stdin=f"040000 tree {inner}\t.datalad\n")
    commit = call_git(["commit-tree", "-m", "x", tree], cwd=repository)
    call_git(["update-ref", "refs/heads/base", commit], cwd=repository)


def test_path_belongs_to_the_innermost_dataset(tmp_path):
    """A folder whose name only starts alike is not inside."""
    inner, outer = output_at(tmp_path, path="sourcedata/fs"), output_at(tmp_path)
    owners = {
        path: owner_of(path, [inner, outer]).path
        for path in ("sourcedata/fs", "sourcedata/fs/sub-01", "sourcedata/fs2/a", "probe/a")
    }
    expected = dict.fromkeys(owners, "")
    expected |= {"sourcedata/fs": "sourcedata/fs", "sourcedata/fs/sub-01": "sourcedata/fs"}
    assert expected == owners
    assert "sub-01/a" == inner.inside("sourcedata/fs/sub-01/a")
    assert "sourcedata/fs/sub-01/a" == inner.outside("sub-01/a")


def test_missing_and_empty_stores_may_be_made(tmp_path):
    output = output_at(tmp_path)
    assert check_output_store(output, STUDY) is False
    assert not output.store.mounted.exists()
    make_bare_store(output.store.mounted, "x")
    assert check_output_store(output, STUDY) is False


def test_store_of_this_study_is_recognized(tmp_path):
    output = output_at(tmp_path)
    make_bare_store(output.store.mounted, "x")
    write_base(output.store.mounted, {STUDY_SETTING: "mine", APP_SETTING: "probe"})
    assert check_output_store(output, STUDY) is True


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "a repository with other content"),
        ({STUDY_SETTING: "theirs"}, "the output dataset of study 'theirs'"),
        ({STUDY_SETTING: "mine", APP_SETTING: "mriqc"}, "of the app 'mriqc'"),
        ({STUDY_SETTING: "mine", APP_SETTING: "probe", OUTPUT_SETTING: "fs"}, "the output 'fs'"),
    ],
)
def test_any_other_store_is_refused(tmp_path, settings, words):
    output = output_at(tmp_path)
    make_bare_store(output.store.mounted, "x")
    write_base(output.store.mounted, settings)
    with pytest.raises(WorkflowFailure) as refused:
        check_output_store(output, STUDY)
    assert words in refused.value.message


def test_output_dataset_is_no_store_of_an_output(tmp_path):
    output = output_at(tmp_path, path="fs")
    make_bare_store(output.store.mounted, "x")
    write_base(output.store.mounted, {STUDY_SETTING: "mine", APP_SETTING: "probe"})
    with pytest.raises(WorkflowFailure, match="that of the output dataset itself"):
        check_output_store(output, STUDY)
