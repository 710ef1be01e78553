"""The whole workflow in real containers."""

import json
import re

import pytest
from helpers.containers import LICENSE, use_everything
from helpers.studies import git, run, without_description

RUNTIMES = ["apptainer", "charliecloud", "podman"]
# The same promise for each runtime.
FIRST_RUNTIME = [
    pytest.param(name, marks=[pytest.mark.more] * (name != RUNTIMES[0])) for name in RUNTIMES
]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """A line for every finding of a check."""
    monkeypatch.setenv("COLUMNS", "800")


def traces(study, text: str) -> list[str]:
    """Files below results/, and commits of the store, that hold a text."""
    found = run("grep", "-rlF", text, study.results, cwd=study.root, check=False).stdout
    history = git("log", "--all", "-p", "--text", "--format=%H%n%B", cwd=study.store)
    objects = run("grep", "-rlF", text, study.store, cwd=study.root, check=False).stdout
    return [*found.splitlines(), *objects.splitlines(), *["the history"] * (text in history)]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_study_in_a_container(runtime, in_container, undisturbed_tree):
    """Each runtime leaves the tree that the app leaves without one, and records to rerun.

    A second run then hands the app all it may need, and finds it locked in.
    """
    study = in_container(runtime)
    study.snakemake()
    assert without_description(undisturbed_tree) == without_description(study.tree())
    assert list(study.scratch.iterdir()) == []

    clone = study.clone()
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-02", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    changed = git("diff", "--name-only", "origin/main", "HEAD", cwd=clone)
    assert changed == "probe/logs/CITATION.md", "a rerun gave something else"

    use_everything(study)
    # A further output is a dataset of its own, whose git folder is closed to the app.
    surfaces = {"path": "surfaces", "repo": str(study.root / "surfaces.git")}
    study.config["container"]["outputs"] = ["probe", surfaces]
    study.config["container"]["bids_args"]["fs-subjects-dir"] = "{output_2}"
    checked = study.snakemake("--cores", "1", "check").stdout
    assert re.search("^ok +container .*answers --help: usage: probe", checked, re.MULTILINE)
    assert re.search("^ok +container.freesurfer_license ", checked, re.MULTILINE)
    (study.switches / "escape").touch()
    study.snakemake()
    report = json.loads(git("show", "main:probe/sub-01/sub-01_desc-probe.json", cwd=study.store))
    assert report["escaped"] == []
    assert "sub-01/surf/lh.white" in git("ls-tree", "-r", "main", cwd=study.root / "surfaces.git")
    assert report["variable"] == "a, b $HOME"
    said = (study.results / "logs" / "sub-01.log").read_text()
    assert f"licence of {len(LICENSE)} bytes True" in said
    assert "templates ['tpl-MNI']" in said
    assert 'filter {"t1w": {"datatype": "anat"}}' in said
    message = git("log", "-1", "--format=%B", "--grep=Bidsloom-Unit: sub-01", cwd=study.store)
    assert "--mem-mb 2048" in message
    assert "--n-cpus 1" in message
    assert "--work-dir /tmp/work" in message
    assert str(study.root) not in message, "a path of this machine is in the record"

    # Whatever it was handed then, it is handed when the result is proved.
    study.snakemake("--cores", "1", "prove")
    (proved,) = json.loads((study.results / "proof.json").read_text())["units"]
    assert (proved["unit"], proved["state"]) == ("sub-01", "identical")
    assert not traces(study, "SecretOfTheLicence")
    assert list(study.scratch.iterdir()) == []


@pytest.mark.parametrize("runtime", FIRST_RUNTIME)
def test_a_study_in_a_container_as_ordinary_user(runtime, as_user, undisturbed_tree, monkeypatch):
    """The same without root's rights."""
    study = as_user(runtime)
    study.snakemake()
    # Root looks into a user's repository.
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'safe.directory=*'")
    assert without_description(undisturbed_tree) == without_description(study.tree())
    assert list(study.scratch.iterdir()) == []


@pytest.mark.parametrize("runtime", FIRST_RUNTIME)
def test_an_app_that_fails_is_told_from_a_container_that_does_not_start(runtime, in_container):
    """An app's exit code arrives as it is, even one that the runtime uses for itself."""
    study = in_container(runtime)
    use_everything(study)
    code = {"apptainer": 255, "charliecloud": 1, "podman": 125}[runtime]
    (study.switches / "fail-01").write_text(str(code))
    study.snakemake(check=False)
    attempt = study.attempts("sub-01")[-1]
    assert ("app_error", code) == (attempt["failure_class"], attempt["exit_code"])

    (study.root / "broken").write_text("no image\n" * 1000)
    study.config["container"]["image"] = "broken"
    checked = study.snakemake("--cores", "1", "check", check=False)
    assert checked.returncode != 0
    assert "FAILURE  container  " in checked.stdout and "probe does not start: " in checked.stdout
    told = study.snakemake(check=False)
    attempt = study.attempts("sub-01")[-1]
    assert attempt["failure_class"] == "node_failure", attempt
    assert f"{runtime} could not start probe for sub-01" in told.stderr
