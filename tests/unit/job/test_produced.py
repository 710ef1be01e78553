"""What a job reads of another study's result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config.producer import Producer
from bidsloom.config.study import FurtherInput
from bidsloom.job.produced import check_part
from helpers.studies import git
from helpers.units import unit


@pytest.fixture
def read(tmp_path):
    """What FitLins leaves of one subject, as another study's input; and the commit of it."""
    git("init", "-q", cwd=tmp_path)
    (tmp_path / "out/node-run/sub-01").mkdir(parents=True)
    (tmp_path / "out/node-run/sub-01/sub-01_statmap.nii").touch()
    (tmp_path / "out/dataset_description.json").touch()
    git("add", "-A", cwd=tmp_path)
    git("commit", "-q", "-m", "result", cwd=tmp_path)
    producer = Producer("model", Path("results/model"), "fitlins", "/model.git", "out", "node-run")
    further = FurtherInput(
        "sourcedata/model",
        "/model.git",
        "",
        tmp_path,
        (),
        True,
        (),
        producer.folder(),
        False,
        producer,
    )
    return further, git("rev-parse", "HEAD", cwd=tmp_path)


def test_a_part_in_a_deeper_folder(read):
    """The subject's folder is found where the config says that it lies."""
    check_part(*read, unit("sub-01"))


@pytest.mark.parametrize(
    ("inner", "label", "said"),
    [
        ("", "01", "sub-01 in out"),
        ("node-x", "01", "sub-01 in out/node-x"),
        ("node-run", "02", "sub-02"),
    ],
)
def test_a_result_without_the_subject_is_refused(read, inner, label, said):
    """The app would run on nothing, and its result would look good."""
    further, commit = read
    producer = replace(further.producer, inner=inner)
    further = replace(further, producer=producer, folder=producer.folder())
    with pytest.raises(WorkflowFailure, match=f"has no folder {said}"):
        check_part(further, commit, unit(f"sub-{label}"))
    check_part(replace(further, required=False), commit, unit(f"sub-{label}"))
