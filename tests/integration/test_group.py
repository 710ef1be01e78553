"""The app's group level, on what is merged."""

import shutil

from helpers.studies import git, run

FILES = ["name\tfiles", "sub-01_desc-probe.json\t2", "sub-02_desc-probe.json\t2"]


def test_group_level(workspace):
    """It runs after the merge, once for what is merged, and again when subjects join."""
    container = workspace.config["container"]
    container |= {"group_level": True, "group_inputs": ["probe/**/*_desc-probe.json"]}
    container["group_args"] = {**container["bids_args"], "note": "of all"}
    workspace.config["subjects"] = {"include": ["01", "02"]}
    workspace.snakemake()
    assert ["01", "02", "group"] == workspace.runs()
    assert ["base", "git-annex", "main"] == workspace.branches()
    table = git("show", "main:probe/group_files.tsv", cwd=workspace.store)
    assert FILES == table.splitlines()
    # Every subject's folder is there, and of the results what was asked for.
    clone = workspace.clone()
    run("datalad", "get", "probe/group_seen.dat", cwd=clone)
    seen = (clone / "probe" / "group_seen.dat").read_text()
    assert "['sub-01', 'sub-02', 'sub-03'] [] of all" == seen
    report = (workspace.results / "report.tsv").read_text()
    assert "group\tmerged" in report

    head = git("rev-parse", "HEAD", cwd=clone)
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: group", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    assert head == git("rev-parse", "HEAD", cwd=clone)
    assert ["01", "02", "group", "group"] == workspace.runs()

    done = workspace.snakemake()
    assert "Nothing to be done" in done.stdout + done.stderr
    del workspace.config["subjects"]
    workspace.snakemake()
    assert ["01", "02", "03", "group", "group", "group"] == workspace.runs()
    table = git("show", "main:probe/group_files.tsv", cwd=workspace.store)
    assert [*FILES, "sub-03_desc-probe.json\t2"] == table.splitlines()

    # Other arguments of its own make the group due, and no subject; without its notes, too.
    container["group_args"]["note"] = "again"
    run("chmod", "-R", "u+w", workspace.results, cwd=workspace.root)
    shutil.rmtree(workspace.results)
    workspace.snakemake()
    assert ["01", "02", "03"] + ["group"] * 4 == workspace.runs()
