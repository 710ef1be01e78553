"""`snakemake check`: one table of all that a study needs."""

import re
import shutil

import pytest
from helpers.studies import git, make_input, run


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    """A line for every finding."""
    monkeypatch.setenv("COLUMNS", "800")


def level_of(table: str, what: str) -> str:
    """How the look at one thing ended."""
    (level,) = re.findall(rf"^(ok|warning|FAILURE) +{re.escape(what)}  ", table, re.MULTILINE)
    return level


def test_check_before_a_study(workspace):
    """All is looked at and tried, the exit code is 0, and nothing is left but notes."""
    done = workspace.snakemake("--cores", "1", "check")
    table = done.stdout
    for what in ("programs", "git identity", "subjects", "container", "datalad.output_repos"):
        assert level_of(table, what) == "ok", table
    assert "answers --help: usage:" in table
    assert "fetched sub-0" in table
    assert "a commit was pushed and read back" in table
    assert not workspace.store.parent.exists()
    assert list(workspace.scratch.iterdir()) == []
    assert workspace.runs() == []


def test_faults_are_rows_of_the_table(workspace):
    """What refuses any other start is told in the table, with the rest; the exit code is 1."""
    workspace.config["container"]["image"] = "missing.sif"
    workspace.config["common"]["work_dir"] = "nowhere"
    done = workspace.snakemake("--cores", "1", "check", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "nowhere does not exist" in done.stdout
    levels = {what: level_of(done.stdout, what) for what in ("container.image", "common.work_dir")}
    assert set(levels.values()) == {"FAILURE"}
    assert level_of(done.stdout, "programs") == "ok"
    workspace.config["datalad"]["input_rep"] = "x"
    done = workspace.snakemake("--cores", "1", "check", check=False)
    assert done.returncode == 1
    assert re.search("^FAILURE +config .*did you mean 'input_repo'", done.stdout, re.MULTILINE)


def test_what_only_a_trial_finds(workspace, tmp_path):
    """Content that is gone, an app that does not start, a name that is no BIDS."""
    root = make_input(tmp_path / "bids", {"01": [None], "02": [None]})
    (root / "sub-01" / "scan notes.txt").write_text("no BIDS name")
    run("datalad", "-l", "error", "save", cwd=root)
    run("chmod", "-R", "u+w", root / ".git" / "annex" / "objects", cwd=root)
    shutil.rmtree(root / ".git" / "annex" / "objects")
    workspace.config["datalad"]["input_repo"] = str(root)
    workspace.config["container"]["call_fmt"] = "no-such-runtime {img} {cmd}"
    done = workspace.snakemake("--cores", "1", "check", check=False)
    assert done.returncode == 1
    table = done.stdout
    assert level_of(table, "datalad.input_repo") == "FAILURE"
    assert re.search("container .*does not start: .*not found", table)
    assert level_of(table, "BIDS") == "warning"
    assert "NOT_INCLUDED (1) at /sub-01/scan notes.txt" in table
    assert level_of(table, "datalad.output_repos") == "ok"
    assert list(workspace.scratch.iterdir()) == []


def test_store_is_left_as_it_was(workspace):
    """Neither a push that went well nor one that failed leaves a probe branch behind."""
    workspace.snakemake()
    before = workspace.branches()
    assert "was pushed and read back" in workspace.snakemake("--cores", "1", "check").stdout
    assert before == workspace.branches()
    assert "Nothing to be done" in workspace.snakemake().stderr
    # A folder where the branch's file would be.
    (workspace.store / "refs" / "heads" / "probe").write_text("in the way")
    done = workspace.snakemake("--cores", "1", "check", check=False)
    assert done.returncode == 1
    assert level_of(done.stdout, "datalad.output_repos") == "FAILURE"
    (workspace.store / "refs" / "heads" / "probe").unlink()
    assert before == workspace.branches()
    git("fsck", "--connectivity-only", cwd=workspace.store)


def test_url_store(workspace, tmp_path):
    """A store that is reached by git alone takes the probe, and keeps nothing of it."""
    store = tmp_path / "store.git"
    git("init", "-q", "--bare", store, cwd=tmp_path)
    workspace.config["datalad"]["output_repos"] = [f"ssh://nowhere.invalid{store}"]
    # ssh that stays at home.
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nshift $(($# - 1))\nexec sh -c "$1"\n')
    ssh.chmod(0o755)
    table = workspace.snakemake("--cores", "1", "check", env={"GIT_SSH": str(ssh)}).stdout
    assert "a commit was pushed and read back" in table
    assert git("for-each-ref", cwd=store) == ""
