"""Pushes into stores: stale locks, replaced branches, the git-annex branch."""

import os
import time

import pytest
from bidsloom.base.errors import CommandError
from bidsloom.base.runners import call, call_annex, call_git
from bidsloom.datasets.locations import log_path, publish_locations
from bidsloom.datasets.pushes import outlive_locks, publish_command, push_annex_branch
from bidsloom.datasets.stores import REMOTE, make_bare_store, store_at, store_uuid

KEY = "MD5E-s13--8ddd8be4b179a529afa5f2ffae4b9858.txt"


@pytest.fixture
def store(tmp_path):
    """An empty bare store."""
    found = store_at(str(tmp_path / "store.git"), name="x")
    make_bare_store(found.mounted, "store")
    return found


@pytest.fixture
def dataset(tmp_path, store):
    """A git-annex repository with one commit and the store as its remote."""
    root = tmp_path / "dataset"
    root.mkdir()
    call_git(["init", "-q"], cwd=root)
    call_annex(["init", "-q", "dataset"], cwd=root)
    call_git(["commit", "-q", "--allow-empty", "-m", "first"], cwd=root)
    call_git(["remote", "add", REMOTE, store.git_url], cwd=root)
    return root


def log_of(store) -> str:
    """The store's own location log of the key."""
    return call_git(["show", f"git-annex:{log_path(KEY)}"], cwd=store.mounted)


@pytest.mark.parametrize("args", [[], ["HEAD^"]])
def test_branch_is_replaced_only_as_it_was_seen(store, dataset, args):
    """A job whose branch another one replaced does not overwrite it; a new branch must be new."""
    base = call_git(["rev-parse", "HEAD"], cwd=dataset)
    call_git(["push", "-q", REMOTE, "HEAD:refs/heads/base"], cwd=dataset)
    call_git(["commit", "-q", "--allow-empty", "-m", "result"], cwd=dataset)
    result = call_git(["rev-parse", "HEAD"], cwd=dataset)
    ref = "refs/heads/job/a"
    call(publish_command(store, ref, base=base, seen=""), cwd=dataset)
    assert result == call_git(["rev-parse", ref], cwd=store.mounted)
    call_git(["commit", "-q", "--allow-empty", "-m", "another"], cwd=dataset)
    seen = base if args else ""
    with pytest.raises(CommandError):
        call(publish_command(store, ref, base=base, seen=seen), cwd=dataset)
    assert result == call_git(["rev-parse", ref], cwd=store.mounted)
    call(publish_command(store, ref, base=base, seen=result), cwd=dataset)
    assert result != call_git(["rev-parse", ref], cwd=store.mounted)


def test_old_lock_file_is_removed(store, dataset):
    """Git never held a lock for a minute; whoever made this one is dead."""
    lock = store.mounted / "refs" / "heads" / "main.lock"
    lock.touch()
    os.utime(lock, (time.time() - 60, time.time() - 60))
    update = ["update-ref", "refs/heads/main", call_git(["rev-parse", "HEAD"], cwd=dataset)]
    call_git(["push", "-q", REMOTE, "HEAD:refs/heads/other"], cwd=dataset)
    with pytest.raises(CommandError):
        call_git(update, cwd=store.mounted)
    outlive_locks(lambda: call_git(update, cwd=store.mounted))
    assert not lock.exists()


def test_other_failures_end_at_once(tmp_path):
    calls = []

    def act():
        calls.append(1)
        raise CommandError(["git"], str(tmp_path), 1, "no space left")

    with pytest.raises(CommandError, match="no space"):
        outlive_locks(act)
    assert [1] == calls


def test_store_learns_that_it_holds_a_key(store, dataset):
    uuid = store_uuid(store, dataset)
    publish_locations(dataset, [KEY], uuid)
    assert f"1 {uuid}" in log_of(store)
    before = call_git(["rev-parse", "git-annex"], cwd=store.mounted)
    publish_locations(dataset, [KEY], uuid)
    assert before == call_git(["rev-parse", "git-annex"], cwd=store.mounted)


def test_push_that_the_store_rejects_is_merged_and_tried_again(store, dataset, tmp_path):
    """What git-annex in the store wrote meanwhile stays, and so does what is pushed."""
    other = "00000000-0000-0000-0000-000000000001"
    calls = []

    def change():
        calls.append(1)
        if len(calls) == 1:
            # The store's branch changes after it was fetched.
            call_annex(["setpresentkey", KEY, other, "1"], cwd=store.mounted)
            call_annex(["merge", "-q"], cwd=store.mounted)
        call_annex(["setpresentkey", KEY, store_uuid(store, dataset), "1"], cwd=dataset)
        call_annex(["merge", "-q"], cwd=dataset)

    push_annex_branch(dataset, change=change)
    assert [1, 1] == calls
    log = log_of(store)
    assert other in log and store_uuid(store, dataset) in log


def test_new_store_without_a_git_annex_branch_gets_one(dataset, tmp_path):
    call_git(["init", "-q", "--bare", "plain.git"], cwd=tmp_path)
    call_git(["remote", "set-url", REMOTE, str(tmp_path / "plain.git")], cwd=dataset)
    push_annex_branch(dataset)
    own = call_git(["rev-parse", "git-annex"], cwd=dataset)
    assert own == call_git(["rev-parse", "git-annex"], cwd=tmp_path / "plain.git")
