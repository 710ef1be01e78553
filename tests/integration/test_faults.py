"""Apps that fail, runs that are killed, branches that disagree."""

import os
import random
import shutil
import signal
import time

import pytest
from helpers.studies import JOB_SCRIPT, git, run
from helpers.waiting import exit_code, kill, wait_for


def test_failed_subject_is_visible_and_holds_up_nobody(workspace, undisturbed_tree):
    """Exit code and last words are kept, nothing of it is pushed, the others are merged."""
    (workspace.switches / "fail-02").write_text("37")
    done = workspace.snakemake(check=False)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "probe failed for sub-02 with exit code 37" in said
    assert "no brain found in sub-02" in said
    assert "Traceback" not in said
    attempt = workspace.attempts("sub-02")[-1]
    assert (attempt["failure_class"], attempt["exit_code"]) == ("app_error", 37)
    assert any("no brain found in sub-02" in line for line in attempt["log"])
    assert workspace.branches() == ["base", "git-annex", "main"]
    assert "sub-01.html" in workspace.tree() and "sub-03.html" in workspace.tree()
    assert "sub-02" not in workspace.tree()
    rows = (workspace.results / "report.tsv").read_text()
    assert "sub-02\tfailed\tapp_error\t37\t1" in rows
    assert list(workspace.scratch.iterdir()) == []
    # Mended, it joins the others.
    (workspace.switches / "fail-02").unlink()
    workspace.snakemake()
    assert workspace.runs() == ["01", "02", "02", "03"]
    assert undisturbed_tree == workspace.tree()


def test_app_that_writes_nothing_has_failed(workspace):
    """Exit code 0 without outputs is no result."""
    (workspace.switches / "silent").touch()
    done = workspace.snakemake(check=False)
    assert done.returncode != 0
    assert "wrote nothing" in done.stdout + done.stderr


def test_failed_clone_can_be_kept(workspace):
    """With keep_failed the clone stays, and the log says where."""
    workspace.config["common"]["keep_failed"] = True
    workspace.config["subjects"] = {"include": ["02"]}
    (workspace.switches / "fail-02").write_text("1")
    workspace.snakemake(check=False)
    (kept,) = workspace.scratch.iterdir()
    assert str(kept) in (workspace.results / "logs" / "sub-02.log").read_text()
    assert (kept / "dataset" / "sourcedata" / "raw" / "sub-02").is_dir()


def test_killed_while_the_app_runs(workspace, undisturbed_tree):
    """SIGKILL in mid-run: the next run ends in the same tree and leaves no clone."""
    with workspace.held_jobs() as process:
        kill(process)
    workspace.snakemake("--cores", "2", "--nolock")
    assert undisturbed_tree == workspace.tree()
    assert list(workspace.scratch.iterdir()) == []


def test_killed_between_content_and_branch(workspace, undisturbed_tree):
    """A result whose branch was not announced yet is pushed, not computed again."""
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake("--cores", "1", "prepare_study", "list_subjects")
    hook = workspace.store / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch '{workspace.root}/pushing'\nsleep 60\n")
    hook.chmod(0o755)
    process = workspace.start()
    wait_for((workspace.root / "pushing").exists)
    kill(process)
    hook.unlink()
    assert "job/probe/sub-01" not in workspace.branches()
    workspace.config["subjects"] = {}
    workspace.snakemake("--cores", "2", "--nolock")
    assert workspace.runs() == ["01", "02", "03"]
    assert undisturbed_tree == workspace.tree()
    assert list(workspace.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        ("bare", 0),
        pytest.param("ria", 4, marks=pytest.mark.more),
        pytest.param("bare", 1, marks=pytest.mark.more),
        pytest.param("bare", 2, marks=pytest.mark.more),
    ],
)
def test_killed_at_random_moments(workspace, undisturbed_tree, kind, seed):
    """However often and whenever a run dies, the study ends as if nothing had happened."""
    url, store = str(workspace.store), workspace.store
    if kind == "ria":
        url = f"ria+file://{workspace.root}/a ria store#~probe"
        store = workspace.root / "a ria store" / "alias" / "probe"
        workspace.config["datalad"]["output_repos"] = [url]
    moments = random.Random(seed)
    for _ in range(4):
        process = workspace.start("--cores", "2", "--nolock")
        time.sleep(moments.uniform(1.5, 6))
        if process.poll() is None:
            kill(process)
    workspace.snakemake("--cores", "2", "--nolock")
    assert undisturbed_tree == workspace.tree(store.resolve())
    assert ["base", "git-annex", "main"] == workspace.branches(store.resolve())
    assert [] == list(workspace.scratch.iterdir())
    clone = workspace.clone(url=url)
    run("datalad", "-l", "error", "get", "probe", cwd=clone)


def test_interrupted_run_cleans_up(workspace):
    """Ctrl-C ends the app, removes its clone and is told as cancelled."""
    with workspace.held_jobs() as process:
        os.killpg(process.pid, signal.SIGINT)
        assert exit_code(process) != 0
    assert list(workspace.scratch.iterdir()) == []
    # Two run at once; which ones is the scheduler's choice.
    for label in workspace.runs():
        assert "cancelled" == workspace.attempts(f"sub-{label}")[-1]["failure_class"]


def test_two_jobs_of_one_subject_cannot_both_win(workspace):
    """Of two racing jobs one pushes; the other finds its result there and ends well."""
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake("--cores", "1", "prepare_study", "list_subjects")
    (workspace.switches / "wait").touch()
    command = f"python '{JOB_SCRIPT}' --config '{workspace.write_config()}' --subject 01"
    release = f"sleep 3; while [ $(ls '{workspace.switches}' | grep -c ran-) -lt 2 ]; do sleep 0.1; done; rm '{workspace.switches}/wait'"
    run(
        "bash",
        "-euc",
        f"{command} & a=$!; {command} & b=$!; {release}; wait $a; wait $b",
        cwd=workspace.root,
    )
    assert workspace.runs() == ["01", "01"]
    assert workspace.branches().count("job/probe/sub-01") == 1
    record = workspace.record("sub-01")
    assert git("rev-parse", "job/probe/sub-01", cwd=workspace.store) == record["commit"]


def test_unpushed_content_keeps_branch_unmerged(workspace, undisturbed_tree):
    """A branch whose content never arrived is reported, not merged, and computed again."""
    (workspace.switches / "fail-03").write_text("1")
    workspace.snakemake("--cores", "2", "results/probe/jobs/sub-02.json")
    clone = workspace.clone()
    path = git(
        "ls-tree", "origin/job/probe/sub-02", "probe/sub-02/sub-02_desc-probe.dat", cwd=clone
    )
    key = git("cat-file", "-p", path.split()[2], cwd=clone).rpartition("/")[2]
    (content,) = workspace.store.glob(f"annex/objects/*/*/{key}/{key}")
    content.parent.chmod(0o755)
    content.unlink()
    done = workspace.snakemake(check=False)
    assert done.returncode != 0
    assert "sub-02" not in workspace.tree()
    assert "job/probe/sub-02" in workspace.branches()
    assert key in (workspace.results / "unmerged.tsv").read_text()
    (workspace.switches / "fail-03").unlink()
    workspace.snakemake()
    assert workspace.runs() == ["01", "02", "02", "03", "03"]
    assert undisturbed_tree == workspace.tree()


def test_conflict_is_named_and_the_rest_merged(workspace):
    """Two units, one path, different content: both stay out, by name; others go in."""
    (workspace.switches / "clash").touch()
    workspace.snakemake("--cores", "1", "results/probe/jobs/sub-01.json")
    workspace.snakemake("--cores", "1", "results/probe/jobs/sub-02.json")
    (workspace.switches / "clash").unlink()
    done = workspace.snakemake(check=False)
    assert done.returncode != 0
    assert "probe/atlas.dat was also written by sub-02" in done.stdout + done.stderr
    assert "sub-03.html" in workspace.tree() and "sub-01" not in workspace.tree()
    assert {"job/probe/sub-01", "job/probe/sub-02"} < set(workspace.branches())
    # Declared as shared, the first unit's stands.
    first = git("rev-parse", "job/probe/sub-01", cwd=workspace.store)
    workspace.config["datalad"]["shared_files"] = ["atlas.dat", "logs/*", "*.json"]
    workspace.snakemake()
    target = git("show", "main:probe/atlas.dat", cwd=workspace.store)
    assert target == git("show", f"{first}:probe/atlas.dat", cwd=workspace.store)
    assert workspace.branches() == ["base", "git-annex", "main"]


def test_store_that_is_gone_for_a_while(workspace, undisturbed_tree):
    """A store that vanishes during the run fails the push; the result is kept and pushed later."""
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake("--cores", "1", "prepare_study", "list_subjects")
    away = workspace.store.with_name("away")
    with workspace.held_jobs("--cores", "1") as process:
        shutil.move(workspace.store, away)
    assert exit_code(process) != 0
    assert workspace.attempts("sub-01")[-1]["failure_class"] == "store_unavailable"
    shutil.move(away, workspace.store)
    workspace.config["subjects"] = {}
    workspace.snakemake()
    assert workspace.runs() == ["01", "02", "03"]
    assert undisturbed_tree == workspace.tree()


def test_locks_of_a_killed_git_are_waited_out(workspace, undisturbed_tree):
    """Lock files that a dead git left, in the store and in the study's clones, stop nobody."""
    workspace.snakemake("--cores", "1", "prepare_study", "list_subjects")
    (workspace.results / "dataset" / ".git" / "index.lock").touch()
    (workspace.store / "refs" / "heads" / "main.lock").touch()
    folder = workspace.store / "refs" / "heads" / "job" / "probe"
    folder.mkdir(parents=True)
    (folder / "sub-02.lock").touch()
    workspace.snakemake()
    assert undisturbed_tree == workspace.tree()


def test_store_that_was_only_just_made(workspace, undisturbed_tree):
    """A run that died after making the store, before pushing to it, is no stranger's store."""
    workspace.store.mkdir(parents=True)
    git("init", "-q", "--bare", cwd=workspace.store)
    git("annex", "init", "-q", cwd=workspace.store)
    assert workspace.branches() == ["git-annex"]
    workspace.snakemake()
    git("update-ref", "-d", "refs/heads/main", cwd=workspace.store)
    run("chmod", "-R", "u+w", workspace.results, cwd=workspace.root)
    shutil.rmtree(workspace.results)
    workspace.snakemake()
    assert undisturbed_tree == workspace.tree()


def test_store_that_is_not_mounted(workspace):
    """An empty place where results were pushed to is refused, not filled anew."""
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake()
    away = workspace.store.with_name("away")
    shutil.move(workspace.store, away)
    done = workspace.snakemake(check=False)
    assert 1 == done.returncode
    assert "1 unit(s) of study probe were pushed to it" in done.stderr
    assert not workspace.store.exists()
    shutil.move(away, workspace.store)
    done = workspace.snakemake()
    assert "Nothing to be done" in done.stdout + done.stderr
