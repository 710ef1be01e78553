"""Remove job branches whose results are in main.

A branch that a job replaced in the meantime stays: the next merge takes its
newer result.  A branch that could not be removed is removed by a later merge.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from ..base.errors import CommandError
from ..base.runners import call_git, call_git_lines
from ..datasets.branches import BranchKind, branch_name
from ..datasets.output_datasets import OutputDataset
from ..datasets.pushes import push_refs, wait_out
from ..datasets.stores import REMOTE, last_line, write_server_info

log = logging.getLogger(__name__)

# The longest command line is some 2 MB; each branch is named twice.
BRANCHES_PER_PUSH = 1000
# A transaction fails completely where one branch moved; then it is planned again.
TRANSACTIONS = 5


def remove_branches(
    target: OutputDataset, app: str, commits: Mapping[str, str], kind: BranchKind = BranchKind.JOB
) -> None:
    """Delete the branches of units that still point to these commits, in store and clone."""
    store, dataset = target.store, target.dataset
    expected = {branch_name(app, unit, kind): commit for unit, commit in commits.items()}
    folder = branch_name(app, "", kind)
    try:
        if store.repository is None:
            push_deletions(dataset, expected)
            return
        # Each `git push` would list and lock every branch of the store again.
        delete_refs(store.repository, "refs/heads/", folder, expected)
        write_server_info(store.repository)
        delete_refs(dataset, f"refs/remotes/{REMOTE}/", folder, expected)
    except CommandError as e:
        log.warning("some merged job branches stay: %s", last_line(e.stderr))


def delete_refs(repository: Path, prefix: str, folder: str, expected: Mapping[str, str]) -> None:
    """Delete the branches of a folder, below a ref prefix, that are where they are expected."""
    wanted = {f"{prefix}{branch}": commit for branch, commit in expected.items()}
    for attempt in range(TRANSACTIONS):
        lines = call_git_lines(
            [
                "for-each-ref",
                "--format=%(refname) %(objectname)",
                f"{prefix}{folder}",
            ],
            cwd=repository,
        )
        refs = unmoved(dict(line.split(" ") for line in lines), wanted)
        if not refs:
            return
        commands = "".join(f"delete {ref} {commit}\n" for ref, commit in refs.items())
        try:
            call_git(["update-ref", "--stdin"], cwd=repository, stdin=commands)
        except CommandError as e:
            if attempt == TRANSACTIONS - 1:
                raise
            wait_out_locks(repository / prefix / folder, e.stderr)
        else:
            return


def unmoved(there: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Those of the wanted refs that there are, and still at the wanted commit."""
    return {ref: commit for ref, commit in wanted.items() if there.get(ref) == commit}


def wait_out_locks(folder: Path, stderr: str) -> None:
    """Wait for the lock files that git complained about, or remove those that nobody holds.

    A killed transaction leaves one for each of its branches, and git names only
    the first.
    """
    if found := re.search(r"Unable to create '([^']+\.lock)': File exists", stderr):
        for lock in [Path(found[1]), *folder.rglob("*.lock")]:
            wait_out(lock)


def push_deletions(dataset: Path, expected: Mapping[str, str]) -> None:
    """Delete branches of a store that only `git push` reaches."""
    branches = list(expected)
    for start in range(0, len(branches), BRANCHES_PER_PUSH):
        chunk = {f"refs/heads/{b}": expected[b] for b in branches[start:][:BRANCHES_PER_PUSH]}
        leases = [f"--force-with-lease={ref}:{commit}" for ref, commit in chunk.items()]
        push_refs([*leases, REMOTE, *(f":{ref}" for ref in chunk)], cwd=dataset)
