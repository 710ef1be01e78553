"""Pushes into stores: refs by compare-and-swap, the git-annex branch, stale locks waited out."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

from ..base.errors import CommandError
from ..base.runners import call_annex, call_git
from .stores import REMOTE, Store

# git holds a lock file for milliseconds; one of this age belongs to nobody.
STALE_LOCK_SECONDS = 30.0
# Objects and ref written straight into a store on a mounted file system: a push
# would list all its branches.  An old value that is not there any more, as of a
# branch that another job replaced, ends it.
PUBLISH = """\
set -e
count=$(git rev-list --count --objects HEAD "^$3")
take="unpack-objects -q"
[ "$count" -le 100 ] || take="index-pack --stdin"
printf 'HEAD\\n^%s\\n' "$3" | git pack-objects -q --revs --stdout |
git --git-dir="$1" $take > /dev/null
git --git-dir="$1" update-ref "$2" "$(git rev-parse HEAD)" "$4"
"""


def push_refs(args: list[str], *, cwd: Path) -> None:
    """`git push` that outlives what a killed push left behind."""
    outlive_locks(lambda: call_git(["push", "-q", *args], cwd=cwd))


def outlive_locks(act: Callable[[], object]) -> None:
    """Do something to a repository in spite of what a killed git left locked there.

    git holds the lock file of a ref for milliseconds; one that is older than
    `STALE_LOCK_SECONDS` belongs to nobody and is removed.
    Raises `CommandError` for any other failure at once.
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


def push_annex_branch(dataset: Path) -> None:
    """Publish location logs, taking in first what the store knows.

    git-annex in the store may write that branch at any time, so a rejected
    push is merged and tried again.
    """
    for attempt in range(5):
        call_git(["fetch", "-q", REMOTE], cwd=dataset)
        call_annex(["merge", "-q"], cwd=dataset)
        try:
            push_refs([REMOTE, "git-annex:git-annex"], cwd=dataset)
        except CommandError:
            if attempt == 4:
                raise
        else:
            return


def publish_command(store: Store, ref: str, *, base: str, seen: str) -> list[str]:
    """Push HEAD, which starts from `base`, to a ref that was `seen` at a commit or nowhere."""
    if store.repository:
        return ["sh", "-c", PUBLISH, "publish", str(store.repository), ref, base, seen]
    lease = f"--force-with-lease={ref}:{seen}"
    return ["git", "push", "-q", lease, store.git_url, f"HEAD:{ref}"]
