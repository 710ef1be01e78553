"""The whole workflow in real containers."""

import pytest
from studies import git, run

RUNTIMES = ["apptainer", "charliecloud", "podman"]

# One image each is built by whoever needs it first.
pytestmark = pytest.mark.xdist_group("containers")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_study_in_a_container(runtime, in_container, undisturbed_tree):
    """Each runtime leaves the tree that the app leaves without one, and a record to rerun."""
    study = in_container(runtime)
    study.snakemake()
    assert undisturbed_tree == study.tree()
    assert list(study.scratch.iterdir()) == []


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_study_in_a_container_as_ordinary_user(runtime, as_user, undisturbed_tree):
    """The same without root's rights."""
    study = as_user(runtime)
    study.snakemake()
    run("git", "config", "--global", "safe.directory", "*", cwd=study.root)
    assert undisturbed_tree == study.tree()
    assert list(study.scratch.iterdir()) == []
