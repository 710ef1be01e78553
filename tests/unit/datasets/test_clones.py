"""The study's own clones: complete or absent, private, pinned to a commit."""

import pytest
from bidsloom.base.errors import FailureClass, WorkflowFailure
from bidsloom.base.runners import call_git
from bidsloom.datasets.clones import clone, clone_error, pin, resolve_version
from bidsloom.datasets.imports import InputSource


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
