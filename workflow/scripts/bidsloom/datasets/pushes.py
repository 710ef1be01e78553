"""Pushes into stores: refs, the git-annex branch, and stale lock files in the way."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ..base.errors import CommandError
from ..base.patience import outlast
from ..base.runners import call, call_annex, call_git, call_git_lines
from .branches import head_of, is_ancestor
from .output_datasets import OutputDataset
from .packs import LOOSE_OBJECTS, take_pack
from .stores import REMOTE, Store, list_remote_heads, write_server_info

# git holds a lock file for milliseconds; one of this age is from a process that died.
STALE_LOCK_SECONDS = 30.0
ANNEX_BRANCH = "refs/heads/git-annex"
# git-annex in the store may write its branch at any time.
PUSH_ATTEMPTS = 5
# Writes objects and one ref straight into a store on a mounted file system, since
# `git push` would list all branches of the store.  It fails where the ref does
# not have the old value any more, because another job replaced the branch.
PUBLISH = f"""\
set -e
count=$(git rev-list --count --objects HEAD "^$3")
take="unpack-objects -q"
[ "$count" -le {LOOSE_OBJECTS} ] || take="index-pack --stdin"
printf 'HEAD\\n^%s\\n' "$3" | git pack-objects -q --revs --stdout |
git --git-dir="$1" $take > /dev/null
git --git-dir="$1" update-ref "$2" "$(git rev-parse HEAD)" "$4"
"""
# What a store's owner had git run at a push; `git push` alone runs them.
PUSH_HOOKS = ("pre-receive", "update", "post-receive", "post-update")


def push_refs(args: list[str], *, cwd: Path, settings: Iterable[str] = ()) -> None:
    """`git push`, also where a killed push left a lock file.

    Raises `CommandError` where git fails for another reason.
    """
    push = [*settings, "push", "-q", *args]
    outlast(lambda: outlive_locks(lambda: call_git(push, cwd=cwd)))


def push_branch(
    output: OutputDataset, branch: str, commit: str, *, seen: str, many: bool = False
) -> None:
    """Push a commit to a branch of a store, unless somebody else wrote the branch meanwhile.

    `seen` is the commit that the branch had, empty for a new one; of `many`
    objects, git looks for no similar ones: that takes longest.  A mounted store
    is written to directly: after `git push`, its git would look through the
    files of all branches (640 MB for 10,000 with 300 files each).

    Raises `CommandError` where the store cannot be written to, or has another
    commit there.
    """
    store, dataset = output.store, output.dataset
    settings = ["-c", "pack.window=0"] if many else []
    ref = f"refs/heads/{branch}"
    if store.repository is None or runs_hooks(store.repository):
        lease = f"--force-with-lease={ref}:{seen}"
        push_refs([lease, REMOTE, f"{commit}:{ref}"], cwd=dataset, settings=settings)
        return
    send_objects(output, commit, seen=seen, settings=settings)
    update = ["update-ref", ref, commit, seen]
    outlive_locks(lambda: call_git(update, cwd=store.mounted))
    write_server_info(store.mounted)
    note = ["update-ref", f"refs/remotes/{REMOTE}/{branch}", commit]
    outlive_locks(lambda: call_git(note, cwd=dataset))


def send_objects(output: OutputDataset, commit: str, *, seen: str, settings: Iterable[str]) -> None:
    """Write a commit to a mounted store, with all that it adds to the branches there.

    Only what a branch names is sure to be complete in the store: of the commits
    that this one joins, those are left out that are a branch there.
    """
    new = [commit, *([f"^{seen}"] if seen else [])]
    lines = call_git_lines(["rev-list", "--parents", *new], cwd=output.dataset)
    joined = {name for line in lines for name in line.split()}
    there = joined & {*list_remote_heads(output.store).values()}
    revisions = "\n".join([*new, *(f"^{name}" for name in there)])
    pack = ["git", *settings, "pack-objects", "-q", "--revs", "--stdout"]
    take_pack(output.store.mounted, call(pack, cwd=output.dataset, stdin=revisions))


def runs_hooks(repository: Path) -> bool:
    """True where a push into a repository starts something of its owner's."""
    folder = repository / call_git(["rev-parse", "--git-path", "hooks"], cwd=repository)
    return any(os.access(folder / name, os.X_OK) for name in PUSH_HOOKS)


def outlive_locks(act: Callable[[], object]) -> None:
    """Change a repository, and try again where a lock file is in the way.

    git holds the lock file of a ref for milliseconds.  One that is older than
    `STALE_LOCK_SECONDS` is from a process that died, and is removed.

    Raises `CommandError` at once where `act` fails for another reason.
    """
    while True:
        try:
            act()
            return
        except CommandError as e:
            found = re.search(r"Unable to create '([^']+\.lock)': File exists", e.stderr)
            if not found:
                raise
            wait_out(Path(found[1]))


def wait_out(lock: Path) -> None:
    """Wait until a lock file is gone, or remove it once it is stale."""
    with contextlib.suppress(FileNotFoundError):
        while time.time() - lock.stat().st_mtime < STALE_LOCK_SECONDS:
            time.sleep(1)
        lock.unlink()


def push_annex_branch(
    output: OutputDataset, *, change: Callable[[], object] | None = None, many: bool = False
) -> None:
    """Merge the store's git-annex branch, `change` the merged branch, and push it.

    git-annex in the store may write its branch at any time.  Where the store
    therefore rejects the push, everything is done again from its new state;
    `change` has to work more than once.  `many` as for `push_branch`.

    Raises `CommandError` where it fails `PUSH_ATTEMPTS` times.
    """
    for attempt in range(PUSH_ATTEMPTS):
        seen = merge_annex_branch(output)
        try:
            if change:
                change()
            commit = call_git(["rev-parse", ANNEX_BRANCH], cwd=output.dataset)
            if commit != seen:
                push_branch(output, "git-annex", commit, seen=seen, many=many)
        except CommandError:
            if attempt == PUSH_ATTEMPTS - 1:
                raise
        else:
            return


def merge_annex_branch(output: OutputDataset) -> str:
    """Merge the store's git-annex branch into the clone's; returns its commit, empty without one.

    Where there is nothing new, git-annex is not asked: after each commit that
    is not its own, it reads the whole branch again.
    """
    store, dataset = output.store, output.dataset
    known = f"refs/remotes/{REMOTE}/git-annex"
    seen = head_of(dataset, known)
    if not store.repository or list_remote_heads(store, ANNEX_BRANCH) != {"git-annex": seen}:
        # A pattern: unlike one ref, it may match nothing in a new store.
        fetch = ["fetch", "-q", "--no-tags", REMOTE, f"+{ANNEX_BRANCH}*:{known}*"]
        outlast(lambda: call_git(fetch, cwd=dataset))
        seen = head_of(dataset, known)
    # What an interrupted git-annex left.
    journal = dataset / ".git" / "annex" / "journal"
    left = journal.is_dir() and any(journal.iterdir())
    if left or not (seen and is_ancestor(dataset, seen, ANNEX_BRANCH)):
        call_annex(["merge", "-q"], cwd=dataset)
    return seen or ""


def publish_command(store: Store, ref: str, *, base: str, seen: str) -> list[str]:
    """The command that pushes HEAD, made from `base`, to a ref of a store.

    `seen` is the commit that the ref had, empty for a new ref; the command
    fails where it has another one now.
    """
    if store.repository:
        return ["sh", "-c", PUBLISH, "publish", str(store.repository), ref, base, seen]
    lease = f"--force-with-lease={ref}:{seen}"
    return ["git", "push", "-q", lease, store.git_url, f"HEAD:{ref}"]
