"""The configuration: defaults, and what a study makes of it."""

import json
from pathlib import Path

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config import read_config, read_study
from helpers.old_config import OLD, changed
from helpers.studies import REPOSITORY


def test_old_json_is_accepted_unchanged(tmp_path):
    """The JSON file of the system before means what it meant."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(OLD))
    study = read_study(read_config(path))
    assert study.name == "fmriprep"
    assert (study.resources.job.mem_mb, study.resources.job.minutes, study.resources.job.cpus) == (
        32768,
        1440,
        8,
    )
    assert study.container.arguments == ("--n_cpus", "8")
    assert study.container.analysis_level == "participant"
    assert Path("/tmp/datalad.lock") == study.lock_file


def test_shipped_config_is_valid():
    """The demo's study is complete."""
    assert read_study(read_config(REPOSITORY / "config" / "config.yaml")).name == "demo"


def test_app_arguments():
    """Flags, repeated values and bare flags, in the order of the file."""
    arguments = {
        "output-spaces": ["a", "b"],
        "notrack": True,
        "skip": False,
        "-w": "x",
        "empty": None,
    }
    study = read_study(changed("container", bids_args=arguments))
    assert study.container.arguments == ("--output-spaces", "a", "b", "--notrack", "-w", "x")


def test_unreadable_file_is_a_letter(tmp_path):
    """A missing or broken config file is no traceback."""
    with pytest.raises(WorkflowFailure, match="cannot be read"):
        read_config(tmp_path / "missing.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1,")
    with pytest.raises(WorkflowFailure, match="not valid YAML"):
        read_config(tmp_path / "broken.yaml")
