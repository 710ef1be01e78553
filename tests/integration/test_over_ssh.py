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


@pytest.fixture(scope="module")
def by_hand(server, tmp_path_factory):
    """The variables of somebody who uses DataLad as it comes, with shared connections."""
    sockets = tmp_path_factory.mktemp("s")
    shared = {"DATALAD_SSH_MULTIPLEX__CONNECTIONS": "1", "DATALAD_LOCATIONS_SOCKETS": str(sockets)}
    return {**server[1], **shared}


@pytest.fixture(scope="module")
def ria(tmp_path_factory, input_dataset, server, by_hand):
    """A RIA store behind ssh that holds the input."""
    url, variables = server[0], by_hand
    root = tmp_path_factory.mktemp("ria")
    store = f"ria+{url}{root}/inputs"
    run("datalad", "-l", "error", "clone", input_dataset, root / "clone", cwd=root)
    run("datalad", "get", ".", cwd=root / "clone")
    create = ["create-sibling-ria", "-s", "ria", "--new-store-ok", "--alias", "raw", store]
    run("datalad", "-l", "error", *create, cwd=root / "clone", env=variables)
    run("datalad", "-l", "error", "push", "--to", "ria", cwd=root / "clone", env=variables)
    return store


@pytest.mark.more
def test_study_whose_input_and_store_are_in_ria_stores_behind_ssh(
    workspace, server, ria, by_hand, tmp_path
):
    """The output store is made; its content can be had from it; a second run has nothing to do."""
    url, variables = server
    store = tmp_path / "results" / "store"
    workspace.config["datalad"]["input_repo"] = f"{ria}#~raw"
    workspace.config["datalad"]["output_repos"] = [f"ria+{url}{store}#~derivatives"]
    workspace.config["subjects"] = {"include": ["01", "02"]}
    workspace.snakemake(env=variables)
    assert ["01", "02"] == workspace.runs()
    repository = (store / "alias" / "derivatives").resolve()
    assert ["base", "git-annex", "main"] == workspace.branches(repository)
    clone = workspace.root / "a clone"
    source = f"ria+{url}{store}#~derivatives"
    run("datalad", "-l", "error", "clone", source, clone, cwd="/", env=by_hand)
    run("datalad", "-l", "error", "get", "probe/sub-02", cwd=clone, env=by_hand)
    where = ["git", "annex", "whereis", "probe/sub-02/sub-02_desc-probe.dat"]
    assert "[output-storage]" in run(*where, cwd=clone, env=by_hand).stdout
    assert "Nothing to be done" in workspace.snakemake("-n", env=variables).stdout


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
