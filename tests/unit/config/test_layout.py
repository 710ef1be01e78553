"""The output folder of a study that names none."""

import json

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config.layout import MADE_FROM, default_outputs
from helpers.studies import git


@pytest.fixture
def dataset(tmp_path):
    """The study's clone of its output dataset."""
    git("init", "-q", "dataset", cwd=tmp_path)
    return tmp_path / "dataset"


def commit(dataset, *, stored: bool, **files):
    """A commit with some files; `stored`: the store has it."""
    for name, text in files.items():
        path = dataset / {"made": MADE_FROM, "config": ".datalad/config"}[name]
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    git("add", "-A", cwd=dataset)
    git("commit", "-q", "-m", "x", cwd=dataset)
    if stored:
        git("update-ref", "refs/remotes/output/base", "HEAD", cwd=dataset)


def made(app, *outputs):
    """What the scaffolding says of an app's results."""
    return json.dumps({"command": {"container.name": app, "container.outputs": outputs}})


def test_new_study_is_a_bids_study_dataset(dataset, tmp_path):
    """Without a store, and while its first dataset is still being made."""
    assert ["derivatives/app"] == default_outputs(tmp_path / "missing", "app")
    commit(dataset, stored=False, config="[datalad]\n")
    assert ["derivatives/app"] == default_outputs(dataset, "app")


def test_store_keeps_the_folders_that_it_began_with(dataset):
    """As its scaffolding names them; one of another app says nothing."""
    commit(dataset, stored=True, made=made("app", "one", "two"), config="[datalad]\n")
    assert ["one", "two"] == default_outputs(dataset, "app")
    assert ["derivatives/other"] == default_outputs(dataset, "other")


def test_store_of_the_first_version_names_no_folders(dataset):
    """Its results lie in the folder of the app's name."""
    commit(dataset, stored=True, config="[bidsloom]\n")
    assert ["app"] == default_outputs(dataset, "app")


def test_clone_that_git_cannot_read_is_no_new_study(dataset):
    """It is said; another layout would make every subject due."""
    (dataset / ".git" / "HEAD").write_text("")
    with pytest.raises(WorkflowFailure, match="cannot be read"):
        default_outputs(dataset, "app")
