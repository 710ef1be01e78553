"""What a store has that its clone lacks: new branches, all of them, a part at a time."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from ..base.batching import in_batches
from ..base.credentials import access_hint
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.patience import outlast
from ..base.runners import call, call_git, call_git_lines
from .output_datasets import OutputDataset
from .stores import REMOTE, index_packs, last_line, list_remote_heads

# The memory of git grows with the files of the branches that it fetches together.
BRANCHES_PER_FETCH = 500
# From a mounted store, more than these are taken by TAKE.
FEW_BRANCHES = 20
# $1: a mounted store; on standard input: commits that the clone lacks, and `^` before
# some that it has.  `git fetch` would look through all branches of both, and
# through all files a second time; here the store's git fails where one is missing.
TAKE = """\
git --git-dir="$1" pack-objects -q --revs --stdout --delta-base-offset --window=0 |
git index-pack --stdin > /dev/null
"""
FETCH = ["fetch", "-q", "--no-tags"]
# A line of git's FETCH_HEAD: a commit, and the branch that it was fetched from.
FETCHED = re.compile(r"([0-9a-f]+)\t[^\t]*\tbranch '([^']+)' of .*\n")


def fetch_output(output: OutputDataset) -> None:
    """Fetch every branch that a store has now, and forget those that it lost.

    Many new branches are fetched a part at a time: git's memory grows with what
    it fetches at once.  Their refs are written when all are there, since each
    fetch looks at every ref that is there already.

    Raises `WorkflowFailure` where the store cannot be read.
    """
    heads, known = list_remote_heads(output.store), list_known_heads(output.dataset)
    new = {name: commit for name, commit in heads.items() if known.get(name) != commit}
    parts = list(in_batches(new, BRANCHES_PER_FETCH))
    updates = ""
    try:
        if store := output.store.repository:
            index_packs(store)
            there = [f"^{commit}\n" for commit in {*known.values()} & {*heads.values()}]
            for part in parts if len(new) > FEW_BRANCHES else ():
                wanted = "".join([*(f"{new[name]}\n" for name in part), *there])
                take = ["sh", "-c", TAKE, "take", str(store)]
                outlast(partial(call, take, cwd=output.dataset, stdin=wanted.encode()))
                updates += "".join(
                    f"update refs/remotes/{REMOTE}/{name} {new[name]}\n" for name in part
                )
        else:
            for part in parts[:-1]:
                refs = "".join(f"refs/heads/{name}\n" for name in part)
                fetch = [*FETCH, "--no-auto-maintenance", "--refmap=", "--stdin", REMOTE]
                outlast(partial(call_git, fetch, cwd=output.dataset, stdin=refs))
                fetched = (output.dataset / ".git" / "FETCH_HEAD").read_text()
                updates += FETCHED.sub(rf"update refs/remotes/{REMOTE}/\2 \1\n", fetched)
        if updates:
            write = ["-c", "core.logAllRefUpdates=false", "update-ref", "--stdin"]
            call_git(write, cwd=output.dataset, stdin=updates)
            call_git(["pack-refs", "--all"], cwd=output.dataset)
            index_packs(output.dataset / ".git")
        outlast(lambda: call_git([*FETCH, "--prune", REMOTE], cwd=output.dataset))
    except CommandError as e:
        raise WorkflowFailure(
            f"The output store {output.store.url} cannot be read: {last_line(e.stderr)}",
            hint=access_hint(output.store.url, e.stderr)
            or "check that it is mounted and reachable, then start again; nothing was changed.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e


def list_known_heads(dataset: Path) -> dict[str, str]:
    """Branch -> commit, as a clone fetched them last from its store."""
    prefix = f"refs/remotes/{REMOTE}/"
    lines = call_git_lines(
        ["for-each-ref", "--format=%(objectname) %(refname)", prefix], cwd=dataset
    )
    heads = (line.split(" ", 1) for line in lines)
    return {ref.removeprefix(prefix): commit for commit, ref in heads}
