"""Pushes into stores: stale locks, replaced branches, the git-annex branch."""

import os
import time

import pytest
from bidsloom.base.errors import CommandError
from bidsloom.base.runners import call, call_annex, call_git
from bidsloom.datasets.locations import log_path, publish_locations
from bidsloom.datasets.output_datasets import OutputDataset
from bidsloom.datasets.pushes import (
    outlive_locks,
    publish_command,
    push_annex_branch,
    push_branch,
)
from bidsloom.datasets.stores import REMOTE, make_bare_store, store_at, store_uuid

KEY = "MD5E-s13--8ddd8be4b179a529afa5f2ffae4b9858.txt"


@pytest.fixture
def store(tmp_path):
    """An empty bare store."""
    found = store_at(str(tmp_path / "store.git"), name="x")
    make_bare_store(found.mounted, "store")
    return found


@pytest.fixture
def output(tmp_path, store):
    """A git-annex repository with one commit and the store as its remote."""
    root = tmp_path / "dataset"
    root.mkdir()
    call_git(["init", "-q"], cwd=root)
    call_annex(["init", "-q", "dataset"], cwd=root)
    call_git(["commit", "-q", "--allow-empty", "-m", "first"], cwd=root)
    call_git(["remote", "add", REMOTE, store.git_url], cwd=root)
    return OutputDataset("", root, store)


@pytest.fixture
def dataset(output):
    """The folder of the repository."""
    return output.dataset


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


def test_store_learns_that_it_holds_a_key(store, output):
    uuid = store_uuid(store, output.dataset)
    publish_locations(output, [KEY])
    assert f"1 {uuid}" in log_of(store)
    before = call_git(["rev-parse", "git-annex"], cwd=store.mounted)
    publish_locations(output, [KEY])
    assert before == call_git(["rev-parse", "git-annex"], cwd=store.mounted)


def test_push_that_the_store_rejects_is_merged_and_tried_again(store, output, dataset):
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

    push_annex_branch(output, change=change)
    assert [1, 1] == calls
    log = log_of(store)
    assert other in log and store_uuid(store, dataset) in log


def test_what_an_interrupted_git_annex_left_is_pushed(store, output):
    """Also where the store's branch is the one that was pushed last."""
    push_annex_branch(output)
    other = "00000000-0000-0000-0000-000000000001"
    late = ["-c", "annex.alwayscommit=false", "annex", "setpresentkey", KEY, other, "1"]
    call_git(late, cwd=output.dataset)
    push_annex_branch(output)
    assert f"1 {other}" in log_of(store)


def test_new_store_without_a_git_annex_branch_gets_one(dataset, tmp_path):
    call_git(["init", "-q", "--bare", "plain.git"], cwd=tmp_path)
    call_git(["remote", "set-url", REMOTE, str(tmp_path / "plain.git")], cwd=dataset)
    push_annex_branch(OutputDataset("", dataset, store_at(str(tmp_path / "plain.git"), name="x")))
    own = call_git(["rev-parse", "git-annex"], cwd=dataset)
    assert own == call_git(["rev-parse", "git-annex"], cwd=tmp_path / "plain.git")


def commit_file(dataset, name: str) -> str:
    """Commit a file on top of HEAD."""
    (dataset / name).write_text(name)
    call_git(["add", name], cwd=dataset)
    call_git(["commit", "-q", "-m", name], cwd=dataset)
    return call_git(["rev-parse", "HEAD"], cwd=dataset)


def is_complete(store) -> bool:
    """True where git finds everything that the store's branches name."""
    call_git(["fsck", "--full", "--strict"], cwd=store.mounted)
    return True


def merge_a_branch(store, output, *, in_store: bool) -> tuple[str, str]:
    """A commit in the store, and a merge of it with a job's commit, which is a branch there or not."""
    dataset = output.dataset
    main = commit_file(dataset, "first.txt")
    push_branch(output, "main", main, seen="")
    result = commit_file(dataset, "result.txt")
    if in_store:
        push_branch(output, "job/a", result, seen="")
    call_git(["reset", "-q", "--hard", main], cwd=dataset)
    call_git(["merge", "-q", "--no-ff", "-m", "Merge", result], cwd=dataset)
    return main, call_git(["rev-parse", "HEAD"], cwd=dataset)


@pytest.mark.parametrize("in_store", [True, False])
def test_branch_arrives_with_everything_that_it_adds(store, output, in_store):
    """What is in the store without a branch of its own may be incomplete there, and is sent."""
    main, merged = merge_a_branch(store, output, in_store=in_store)
    push_branch(output, "main", merged, seen=main)
    assert merged == call_git(["rev-parse", "main"], cwd=store.mounted)
    assert merged == call_git(["rev-parse", f"refs/remotes/{REMOTE}/main"], cwd=output.dataset)
    assert is_complete(store)


def test_branch_that_somebody_else_wrote_stays(store, output):
    main, merged = merge_a_branch(store, output, in_store=True)
    push_branch(output, "main", commit_file(output.dataset, "other.txt"), seen=main)
    other = call_git(["rev-parse", "main"], cwd=store.mounted)
    with pytest.raises(CommandError, match="main"):
        push_branch(output, "main", merged, seen=main)
    assert other == call_git(["rev-parse", "main"], cwd=store.mounted)


@pytest.mark.parametrize("folder", ["hooks", "own hooks"])
def test_hook_of_the_store_runs(store, output, folder):
    """A lab whose store mails at each push goes on to get its mails."""
    if folder != "hooks":
        call_git(["config", "core.hooksPath", folder], cwd=store.mounted)
    hook = store.mounted / folder / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ncat > received\n")
    hook.chmod(0o755)
    main, merged = merge_a_branch(store, output, in_store=True)
    push_branch(output, "main", merged, seen=main)
    received = (store.mounted / "received").read_text()
    assert f"{main} {merged} refs/heads/main\n" == received


def test_plain_http_sees_the_new_commit(store, output):
    call_git(["update-server-info"], cwd=store.mounted)
    main, merged = merge_a_branch(store, output, in_store=True)
    push_branch(output, "main", merged, seen=main)
    assert f"{merged}\trefs/heads/main" in (store.mounted / "info" / "refs").read_text()
