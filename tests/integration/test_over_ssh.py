"""Input and output store behind ssh, by a real server with keys of its own."""

import os
from urllib.parse import quote

import pytest
from helpers.servers import SSHD, running_sshd
from helpers.studies import git, run

INSTALL = "apt-get install openssh-server openssh-client"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if SSHD is None:
        reason = f"no sshd; install with: {INSTALL}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with running_sshd(tmp_path_factory.mktemp("ssh") / "server") as found:
        yield found


def test_study_whose_input_and_store_are_behind_ssh(workspace, input_dataset, server):
    """Whole results with their content arrive; a second run has nothing to do."""
    url, variables = server
    workspace.config["datalad"]["input_repo"] = url + quote(str(input_dataset))
    workspace.config["datalad"]["output_repos"] = [url + quote(str(workspace.store))]
    run("git", "init", "-q", "--bare", workspace.store, cwd="/")
    run("git", "annex", "init", "-q", cwd=workspace.store)
    workspace.snakemake(env=variables)
    assert {"01", "02", "03"} == set(workspace.runs())
    clone = workspace.clone()
    git("annex", "get", "-q", "probe", cwd=clone)
    assert "" == git("annex", "find", "--not", "--in=here", "probe", cwd=clone)
    assert "Nothing to be done" in workspace.snakemake("-n", env=variables).stdout
