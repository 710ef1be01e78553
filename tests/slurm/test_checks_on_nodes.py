"""Checks on the nodes before jobs and in them."""

import json
import re
from pathlib import Path

import pytest
from helpers.studies import git

pytestmark = pytest.mark.slurm


def test_one_check_before_all_jobs(study):
    """A lock file in /tmp is another one on each node: one job says so, no unit's job is spent."""
    if not study.cluster.private_tmp:
        pytest.skip("needs root, so that each job has its own /tmp")
    study.config["hpc"].pop("check_node")
    study.config["datalad"]["lock_file"] = "/tmp/bidsloom-test.lock"
    done = study.snakemake("--retries", "0", check=False)
    assert done.returncode != 0
    assert "does not stop other nodes" in done.stderr
    assert study.runs() == []
    study.config["datalad"]["lock_file"] = str(study.root / "study.lock")
    (study.switches / "fail-01").write_text("3")
    study.snakemake("--retries", "0", check=False)
    assert study.runs() == ["01", "02", "03"]
    # Its word holds for the day, and for the same study.
    listed = study.snakemake("-n").stdout
    assert "process_subject" in listed and "check_node" not in listed
    study.config["hpc"]["mem"] = "800M"
    assert "check_node" in study.snakemake("-n").stdout


def test_check_on_the_nodes(study, monkeypatch):
    """All is looked at where jobs run, and one node's lock by another; nothing is left behind."""
    monkeypatch.setenv("COLUMNS", "500")
    study.config["datalad"]["lock_file"] = str(study.root / "study.lock")
    found = study.snakemake("check").stdout
    rows = {tuple(line.split()[1:3]): line for line in found.splitlines() if "  node" in line}
    assert {"programs", "container", "datalad.input_repo", "datalad.output_repos"} <= {
        what for what, _ in rows
    }
    (lock,) = re.findall(r"(node\d) did not get the lock that (node\d) held", found)
    assert len(set(lock)) == 2
    assert not study.store.exists()
    left = [path.name for path in study.root.rglob("*") if "check-" in path.name]
    assert left == []
    # Each fault is found where it is, and all are told.
    study.config["container"]["call_fmt"] = "pythn3 {img} {cmd}"
    study.config["datalad"]["lock_file"] = "/tmp/bidsloom-test.lock"
    done = study.snakemake("check", check=False)
    assert done.returncode != 0
    assert re.search(r"FAILURE  container +node\d +probe does not start: .*not found", done.stdout)
    if study.cluster.private_tmp:
        assert "does not lock between node" in done.stdout


def test_modules_are_loaded_and_missed_by_name(study, monkeypatch):
    """`hpc.modules` reach the job; a missing one is told with its node, and not tried again."""
    if not Path("/usr/share/modules/init/bash").exists():
        pytest.skip("needs: apt-get install environment-modules")
    modules = study.root / "modules"
    modules.mkdir()
    (modules / "probe-tools").write_text("#%Module1.0\nsetenv PROBE_VARIABLE from-the-module\n")
    monkeypatch.setenv("BASH_ENV", "/usr/share/modules/init/bash")
    monkeypatch.setenv("MODULEPATH", str(modules))
    study.config["hpc"]["modules"] = ["probe-tools"]
    study.config["subjects"] = {"include": ["01"]}
    study.snakemake()
    text = git("show", "main:probe/sub-01/sub-01_desc-probe.json", cwd=study.store)
    assert json.loads(text)["variable"] == "from-the-module"
    study.config["hpc"]["modules"] = ["not-there"]
    study.config["subjects"] = {"include": ["01", "02"]}
    done = study.snakemake(check=False)
    assert done.returncode != 0
    (attempt,) = study.attempts("sub-02")
    assert attempt["failure_class"] == "bad_config"
    assert "of hpc.modules is missing on node" in attempt["message"]
