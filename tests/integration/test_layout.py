"""Where results lie in the output dataset, and that it is a valid BIDS dataset."""

import shutil

from helpers.studies import git, run


def layout(workspace) -> set[str]:
    """The folders of main that hold subjects' results."""
    paths = git("ls-tree", "-r", "-d", "--name-only", "main", cwd=workspace.store).splitlines()
    return {
        path.rpartition("/")[0] for path in paths if "/sub-" in path and path.count("/sub-") == 1
    }


def test_store_of_the_old_default_goes_on(workspace):
    """Its config names no outputs: no subject is due, nothing moves, new ones join the others."""
    container = workspace.config["container"]
    workspace.config["subjects"] = {"include": ["01", "02"]}
    # What the default was: the store's scaffolding is the same as with this key.
    container["outputs"] = ["probe"]
    workspace.snakemake()
    before = workspace.tree()
    del container["outputs"]
    assert "nothing to process: 2 unit(s) are done" in workspace.snakemake("-n").stderr
    run("chmod", "-R", "u+w", workspace.root / "results", cwd=workspace.root)
    shutil.rmtree(workspace.root / "results")
    del workspace.config["subjects"]
    assert "1 unit(s) to process, 2 done" in workspace.snakemake().stderr
    assert ["01", "02", "03"] == workspace.runs()
    assert set(before.splitlines()) <= set(workspace.tree().splitlines())
    assert {"probe"} == layout(workspace)
    files = git("ls-tree", "--name-only", "main", cwd=workspace.store).splitlines()
    assert "derivatives" not in files
    assert "/probe" == git("show", "main:.bidsignore", cwd=workspace.store)
