"""Which files of the merged results are validated."""

import pytest
from bidsloom.checks.merged_bids import list_root
from bidsloom.datasets.output_datasets import OutputDataset
from bidsloom.datasets.stores import store_at
from helpers.studies import git

FILES = [
    "dataset_description.json",
    "code/x.json",
    "derivatives/app/dataset_description.json",
    "derivatives/app/sub-01.html",
    "derivatives/app/sub-01/anat/sub-01_T1w.json",
    "derivatives/app/node-run/sub-02/sub-02_map.json",
    "derivatives/app/node-run/all.json",
    "derivatives/app/logs/citation.md",
    "derivatives/app/sourcedata/freesurfer/sub-01/x",
]


@pytest.fixture
def output(tmp_path):
    """The output dataset, with some results."""
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    git("init", "-q", cwd=tmp_path)
    git("add", "-A", cwd=tmp_path)
    git("commit", "-q", "-m", "x", cwd=tmp_path)
    return OutputDataset("", tmp_path, store_at("/none", name=""))


def test_subjects_are_found_where_apps_write_them(output):
    """At the root of an output, or in a folder of it; other datasets in it are left out."""
    assert {
        ("dataset_description.json", ""),
        ("sub-01.html", "sub-01"),
        ("sub-01", "sub-01"),
        ("node-run/sub-02", "sub-02"),
        ("node-run/all.json", ""),
        ("logs", ""),
    } == set(list_root(output, "HEAD", "derivatives/app"))
    assert [] == list_root(output, "HEAD", "missing")


def test_of_the_output_dataset_itself_only_the_files(output):
    """Its folders are datasets of their own."""
    assert [("dataset_description.json", "")] == list_root(output, "HEAD", "")
