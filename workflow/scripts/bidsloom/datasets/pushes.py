"""Pushes into stores: refs, the git-annex branch, and stale lock files in the way."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

from ..base.errors import CommandError
from ..base.patience import outlast
from ..base.runners import call_annex, call_git
from .stores import REMOTE, Store

# git holds a lock file for milliseconds; one of this age is from a process that died.
STALE_LOCK_SECONDS = 30.0
ANNEX_BRANCH = "refs/heads/git-annex"
# git-annex in the store may write its branch at any time.
PUSH_ATTEMPTS = 5
# Writes objects and one ref straight into a store on a mounted file system, since
# `git push` would list all branches of the store.  It fails where the ref does
# not have the old value any more, because another job replaced the branch.
PUBLISH = """\
set -e
count=$(git rev-list --count --objects HEAD "^$3")
take="unpack-objects -q"
[ "$count" -le 100 ] || take="index-pack --stdin"
printf 'HEAD\\n^%s\\n' "$3" | git pack-objects -q --revs --stdout |
git --git-dir="$1" $take > /dev/null
git --git-dir="$1" update-ref "$2" "$(git rev-parse HEAD)" "$4"
"""


def push_refs(args: list[str], *, cwd: Path, many: bool = False) -> None:
    """`git push`, also where a killed push left a lock file; `many` objects are not compared.

    Raises `CommandError` where git fails for another reason.
    """
    settings = ["-c", "pack.window=0"] if many else []
    push = [*settings, "push", "-q", *args]
    outlast(lambda: outlive_locks(lambda: call_git(push, cwd=cwd)))


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
    dataset: Path, *, change: Callable[[], object] | None = None, many: bool = False
) -> None:
    """Merge the store's git-annex branch, `change` the merged branch, and push it.

    git-annex in the store may write its branch at any time.  Where the store
    therefore rejects the push, everything is done again from its new state;
    `change` has to work more than once.  Of `many` new logs, git looks for no
    similar ones: that takes longest.

    Raises `CommandError` where it fails `PUSH_ATTEMPTS` times.
    """
    # A pattern: unlike one ref, it may match nothing in a new store.
    fetched = f"+{ANNEX_BRANCH}*:refs/remotes/{REMOTE}/git-annex*"
    for attempt in range(PUSH_ATTEMPTS):
        outlast(lambda: call_git(["fetch", "-q", "--no-tags", REMOTE, fetched], cwd=dataset))
        # This also commits what an interrupted git-annex left in its journal.
        call_annex(["merge", "-q"], cwd=dataset)
        try:
            if change:
                change()
            push_refs([REMOTE, f"{ANNEX_BRANCH}:{ANNEX_BRANCH}"], cwd=dataset, many=many)
        except CommandError:
            if attempt == PUSH_ATTEMPTS - 1:
                raise
        else:
            return


def publish_command(store: Store, ref: str, *, base: str, seen: str) -> list[str]:
    """The command that pushes HEAD, made from `base`, to a ref of a store.

    `seen` is the commit that the ref had, empty for a new ref; the command
    fails where it has another one now.
    """
    if store.repository:
        return ["sh", "-c", PUBLISH, "publish", str(store.repository), ref, base, seen]
    lease = f"--force-with-lease={ref}:{seen}"
    return ["git", "push", "-q", lease, store.git_url, f"HEAD:{ref}"]
