"""Kinds of output store, and what a store says of itself."""

from pathlib import Path

import pytest
from bidsloom.base.errors import FailureClass, WorkflowFailure
from bidsloom.base.runners import call_git
from bidsloom.datasets.annex import object_path
from bidsloom.datasets.stores import (
    MADE,
    MAKING,
    StoreKind,
    forbid_cleaning,
    init_aside,
    is_git_directory,
    is_half_made_store,
    last_line,
    list_remote_heads,
    make_bare_store,
    missing_keys,
    store_at,
    store_uuid,
)
from helpers.studies import git


@pytest.mark.parametrize(
    ("url", "kind", "repository"),
    [
        ("/data/out put.git", StoreKind.BARE, "/data/out put.git"),
        ("file:///data/out%20put.git", StoreKind.BARE, "/data/out put.git"),
        ("ria+file:///data/ria", StoreKind.RIA, "/data/ria/alias/probe"),
        ("ria+file:///data/ria#~mine", StoreKind.RIA, "/data/ria/alias/mine"),
        ("ria+file:///data/ria#abcdef", StoreKind.RIA, "/data/ria/abc/def"),
        ("https://example.org/store.git", StoreKind.OTHER, None),
        ("me@example.org:store.git", StoreKind.OTHER, None),
    ],
)
def test_url_says_the_kind_and_the_path(url, kind, repository):
    store = store_at(url, name="probe")
    assert kind == store.kind
    assert (repository and Path(repository)) == store.repository
    assert (repository or url) == store.git_url


def test_only_a_mounted_store_has_a_git_directory():
    assert Path("/data/s.git") == store_at("/data/s.git", name="x").mounted
    with pytest.raises(ValueError, match="not on a mounted file system"):
        _ = store_at("https://example.org/s.git", name="x").mounted


def test_store_is_made_once_and_keeps_its_identity(tmp_path):
    """A second call repairs a half-made store, and changes nothing in a complete one."""
    store = store_at(str(tmp_path / "a b" / "store.git"), name="x")
    make_bare_store(store.mounted, "first")
    uuid = store_uuid(store, tmp_path)
    make_bare_store(store.mounted, "second")
    assert uuid == store_uuid(store, tmp_path)
    assert is_git_directory(store.mounted)
    assert not is_git_directory(store.mounted / "annex")


@pytest.mark.parametrize("forbidden", [True, False])
def test_push_does_not_clean_a_store(tmp_path, forbidden):
    """Each of three pushes stays a pack; otherwise git packs the store anew meanwhile."""
    store, work = tmp_path / "store.git", tmp_path / "work"
    git("init", "-q", "--bare", store, cwd="/")
    settings = {"gc.auto": 1, "gc.autoPackLimit": 1, "gc.autoDetach": "false"}
    for name, value in {**settings, "receive.unpackLimit": 1}.items():
        git("config", name, value, cwd=store)
    if forbidden:
        forbid_cleaning(store)
    git("init", "-q", work, cwd="/")
    for n in range(3):
        git("commit", "-q", "--allow-empty", "-m", n, cwd=work)
        git("push", "-q", store, f"HEAD:refs/heads/b{n}", cwd=work)
    packs = list((store / "objects" / "pack").glob("*.pack"))
    assert forbidden == (len(packs) == 3)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("name", ["making", "made", "moved up in part"])
def test_store_whose_making_was_killed_is_made_by_the_next_run(tmp_path, name, there):
    """However far it came, in a new folder or in one that was there; it is never taken for another's."""
    path = tmp_path / "store.git"
    if there:
        path.mkdir()
    if name == "making":
        (path / MAKING / "refs").mkdir(parents=True)
    else:
        init_aside(path, "first")
        if name != "made":
            (path / MADE / "config").rename(path / "config")
    assert not is_git_directory(path) and is_half_made_store(path)
    make_bare_store(path, "second")
    assert is_git_directory(path) and not is_half_made_store(path)
    assert call_git(["config", "annex.uuid"], cwd=path)
    call_git(["fsck", "--strict"], cwd=path)


def test_content_is_missing_until_it_is_complete(tmp_path):
    """An object file that is too short, as a killed copy leaves it, does not count."""
    store = store_at(str(tmp_path / "store.git"), name="x")
    make_bare_store(store.mounted, "x")
    key = "MD5E-s5--0123456789abcdef0123456789abcdef.txt"
    assert {key} == missing_keys(store, [key], dataset=tmp_path)
    path = object_path(store.mounted, key)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"1234")
    assert {key} == missing_keys(store, [key], dataset=tmp_path)
    path.write_bytes(b"12345")
    assert set() == missing_keys(store, [key], dataset=tmp_path)


def test_one_branch_and_all_branches_are_listed(tmp_path):
    call_git(["init", "-q", "--bare", "store.git"], cwd=tmp_path)
    store = store_at(str(tmp_path / "store.git"), name="x")
    assert {} == list_remote_heads(store)
    tree = call_git(["mktree"], cwd=store.mounted, stdin="")
    commit = call_git(["commit-tree", "-m", "x", tree], cwd=store.mounted)
    for name in ("main", "job/a"):
        call_git(["update-ref", f"refs/heads/{name}", commit], cwd=store.mounted)
    assert {"main": commit, "job/a": commit} == list_remote_heads(store)
    assert {"main": commit} == list_remote_heads(store, "refs/heads/main")
    assert {} == list_remote_heads(store, "refs/heads/none")


def test_store_that_cannot_be_read_is_a_failure_of_the_store(tmp_path):
    with pytest.raises(WorkflowFailure, match="cannot be read") as failed:
        list_remote_heads(store_at(str(tmp_path / "absent.git"), name="x"))
    assert FailureClass.STORE_UNAVAILABLE == failed.value.failure_class


def test_last_line_is_not_a_count_of_failures():
    assert "no space" == last_line("copy a\n  no space\ncopy: 1 failed\n\n")
    assert "copy: 1 failed" == last_line("copy: 1 failed\n")
    assert "(no message)" == last_line("\n")
