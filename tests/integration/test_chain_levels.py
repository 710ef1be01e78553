"""Chains whose studies process sessions, subjects and the group."""

from __future__ import annotations

import json

import pytest
from helpers.chains import ChainSpace
from helpers.studies import git, make_input, run

SESSION = {"subjects": {"processing_level": "session"}}


@pytest.fixture
def chain(tmp_path):
    """Sessions, then subjects over sessions, then sessions again; and a study of the group."""
    data = make_input(tmp_path / "bids", {"01": ["a", "b"], "02": ["a"]})
    space = ChainSpace(tmp_path / "my chain")
    cross = space.add("cross", data, **SESSION)
    cross.config["container"] |= {"group_level": True, "session_folders": False}
    space.add("base", data, "cross")
    space.add("long", data, "base", "cross", **SESSION)
    last = space.add("last", data, "cross")
    last.config["datalad"]["inputs"][0]["group"] = True
    return space


@pytest.mark.more
def test_a_longitudinal_chain(chain):
    """A subject waits for all its sessions, a session for its subject, the last study for all."""
    cross, base, long, last = chain.studies.values()
    # Before the first study is merged, two sessions are read at a commit that joins them.
    chain.snakemake("--cores", "2", "results/base/jobs/sub-01.json")
    joined = base.record("sub-01")["read"]["sourcedata/cross"]
    parents = git("log", "-1", "--format=%P", joined, cwd=cross.store).split()
    assert parents == [cross.record(f"sub-01_ses-{s}")["commit"] for s in "ab"]
    assert "joined/probe/sub-01" in cross.branches()
    chain.snakemake()
    both = {f"sub-01/ses-{s}/sub-01_ses-{s}_desc-probe.dat" for s in "ab"}
    seen = base.report_of("sub-01")["sourcedata/cross/cross"]
    assert both <= set(seen)
    page = "main:long/ses-b/sub-01/ses-b/sub-01_ses-b_desc-probe.json"
    seen = json.loads(git("show", page, cwd=long.store))
    assert {"sub-01/sub-01_desc-probe.dat"} <= set(seen["sourcedata/base/base"])
    assert both & set(seen["sourcedata/cross/cross"]) == {
        "sub-01/ses-b/sub-01_ses-b_desc-probe.dat"
    }
    # The group's result, and with it its subject's.
    assert "group_files.tsv" in last.report_of("sub-02")["sourcedata/cross/cross"]
    assert last.record("sub-02")["read"] == {"sourcedata/cross": cross.record("group")["commit"]}

    # The commit that joins two sessions is part of the other study's main now.
    assert ["base", "git-annex", "main"] == cross.branches()
    git("merge-base", "--is-ancestor", joined, "main", cwd=cross.store)
    clone, commit = base.clone(), base.record("sub-01")["commit"]
    run("datalad", "-l", "error", "rerun", "--onto", f"{commit}^", commit, cwd=clone)
    assert "" == git("diff", "--name-only", commit, "HEAD", cwd=clone)

    assert "Nothing to be done" in chain.snakemake("-n").stdout
    # Without records, all is found in the stores: what a unit reads has not changed.
    # (The group's result is looked for by its own job.)
    run("rm", "-rf", "results", cwd=chain.root)
    dry = chain.snakemake("-n").stderr
    for study, units in (("cross", 3), ("base", 2), ("long", 3)):
        assert f"bidsloom: {study}: {units} units\nnothing to process: {units} unit(s)" in dry
