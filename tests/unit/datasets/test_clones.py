"""The study's own clones: complete or absent, private, pinned to a commit."""

import dataclasses

import pytest
from bidsloom.base.errors import FailureClass, WorkflowFailure
from bidsloom.base.runners import call_git
from bidsloom.datasets import clones
from bidsloom.datasets.clones import clone, clone_error, fetch_output, pin, resolve_version
from bidsloom.datasets.imports import InputSource
from bidsloom.datasets.output_datasets import OutputDataset
from bidsloom.datasets.stores import REMOTE, store_at
from helpers.studies import git


@pytest.fixture
def source(tmp_path):
    """A repository with two commits; the first one has a tag."""
    root = tmp_path / "source"
    root.mkdir()
    call_git(["init", "-q"], cwd=root)
    call_git(["commit", "-q", "--allow-empty", "-m", "first"], cwd=root)
    call_git(["tag", "v1"], cwd=root)
    call_git(["commit", "-q", "--allow-empty", "-m", "second"], cwd=root)
    return root


def commit_of(repository, name):
    return call_git(["rev-parse", name], cwd=repository)


def pinned(source, target, version=""):
    """Pin a version without an output dataset."""
    url = str(source)
    return pin(
        target,
        InputSource(url),
        version,
        key="datalad.input_repo",
        resolve=lambda: resolve_version(target, url, version, key="datalad.input_version"),
    )


def test_failed_clone_leaves_nothing(tmp_path):
    with pytest.raises(WorkflowFailure, match=r"datalad\.input_repo") as failed:
        clone(str(tmp_path / "absent"), tmp_path / "clones" / "input", key="datalad.input_repo")
    assert FailureClass.INPUT_UNAVAILABLE == failed.value.failure_class
    assert [] == list((tmp_path / "clones").iterdir())


def test_clone_is_private_and_has_no_work_tree(source, tmp_path):
    target = tmp_path / "clones" / "input"
    clone(str(source), target, key="datalad.input_repo")
    assert "true" == call_git(["config", "annex.private"], cwd=target)
    assert [".git"] == [path.name for path in target.iterdir()]


def test_clone_knows_its_source_by_the_name_that_was_asked_for(source, tmp_path):
    """From the first moment on: a run that dies leaves no clone that lacks it."""
    target = tmp_path / "dataset"
    clone(str(source), target, key="datalad.output_repos", remote="output")
    assert "output" == call_git(["remote"], cwd=target)
    assert commit_of(source, "HEAD") == commit_of(target, "output/main")


def test_pinned_commit_stays_until_the_version_changes(source, tmp_path):
    """A branch that moves on in the source does not change a running study."""
    target = tmp_path / "input"
    first = pinned(source, target)
    assert first == commit_of(source, "HEAD")
    call_git(["commit", "-q", "--allow-empty", "-m", "third"], cwd=source)
    assert first == pinned(source, target)
    assert commit_of(source, "v1") == pinned(source, target, "v1")
    assert commit_of(source, "main") == pinned(source, target, "main")


def test_another_url_is_another_clone(source, tmp_path):
    target, other = tmp_path / "input", tmp_path / "other"
    other.mkdir()
    call_git(["init", "-q"], cwd=other)
    call_git(["commit", "-q", "--allow-empty", "-m", "elsewhere"], cwd=other)
    pinned(source, target)
    assert commit_of(other, "HEAD") == pinned(other, target)


def test_unknown_version_is_named_with_its_key(source, tmp_path):
    """Also one that looks like an option of git."""
    for version in ("v99", "--all"):
        with pytest.raises(WorkflowFailure, match="is not a branch, tag or commit") as failed:
            pinned(source, tmp_path / "input", version)
        assert failed.value.message.startswith(f"datalad.input_version {version!r}")


def test_git_s_own_words_are_found_in_a_long_report():
    report = "[INFO] cloning\n[ERROR] failed: 'fatal: repository not found'\n[INFO] tried 3"
    assert "repository not found" == clone_error(report)
    assert "no route" == clone_error("first\nno route\n")


@pytest.mark.parametrize("mounted", [True, False])
def test_branches_fetched_a_part_at_a_time(tmp_path, monkeypatch, mounted):
    """The clone ends with the refs that the store has: new, moved and removed ones."""
    monkeypatch.setattr(clones, "BRANCHES_PER_FETCH", 2)
    monkeypatch.setattr(clones, "FEW_BRANCHES", 3)
    store, work = tmp_path / "store.git", tmp_path / "work"
    git("init", "-q", "--bare", store, cwd=tmp_path)
    git("clone", "-q", store, work, cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "base", cwd=work)
    git("push", "-q", store, "HEAD:refs/heads/main", cwd=work)
    dataset = tmp_path / "dataset"
    git("clone", "-q", "--origin", REMOTE, store, dataset, cwd=tmp_path)
    output = OutputDataset("", dataset, store_at(str(store), name="x"))
    if not mounted:
        remote = dataclasses.replace(output.store, repository=None, url=f"file://{store}")
        output = dataclasses.replace(output, store=remote)
    for state in ("first", "second"):
        for number in range(7):
            git("commit", "-q", "--amend", "--allow-empty", "-m", f"{state} {number}", cwd=work)
            git("push", "-q", "--force", store, f"HEAD:refs/heads/job/app/sub-{number}", cwd=work)
        if state == "second":
            git("push", "-q", store, ":refs/heads/job/app/sub-3", cwd=work)
        fetch_output(output)
        listed = git(
            "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads", cwd=store
        )
        there = git(
            *(
                "for-each-ref",
                "--format=%(refname:lstrip=3) %(objectname)",
                f"refs/remotes/{REMOTE}/main",
            ),
            f"refs/remotes/{REMOTE}/job",
            cwd=dataset,
        )
        assert sorted(listed.splitlines()) == sorted(there.splitlines())
    git("fsck", "--connectivity-only", cwd=dataset)


def test_a_store_that_lost_an_object_gives_no_branch(tmp_path, monkeypatch):
    monkeypatch.setattr(clones, "FEW_BRANCHES", 0)
    store, work, dataset = tmp_path / "store.git", tmp_path / "work", tmp_path / "dataset"
    git("init", "-q", "--bare", store, cwd=tmp_path)
    git("clone", "-q", store, work, cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "base", cwd=work)
    git("push", "-q", store, "HEAD:refs/heads/main", cwd=work)
    git("clone", "-q", "--origin", REMOTE, store, dataset, cwd=tmp_path)
    (work / "file").write_text("content")
    git("add", "file", cwd=work)
    git("commit", "-q", "-m", "result", cwd=work)
    git("push", "-q", store, "HEAD:refs/heads/job/app/sub-1", cwd=work)
    blob = git("rev-parse", "HEAD:file", cwd=work)
    (store / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(WorkflowFailure, match="cannot be read") as failed:
        fetch_output(OutputDataset("", dataset, store_at(str(store), name="x")))
    assert failed.value.failure_class is FailureClass.STORE_UNAVAILABLE
    assert not git("for-each-ref", f"refs/remotes/{REMOTE}/job", cwd=dataset)
