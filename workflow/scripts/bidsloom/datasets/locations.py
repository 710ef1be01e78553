"""Location logs: git-annex' own notes of which repository holds which key.

They are files of the branch `git-annex`, one for each key.  `git annex
setpresentkey` needs milliseconds and a journal file for each of them; here
the logs of a complete merge are written as one commit.  git-annex
sees that its branch has changed (it keeps the commit of its index beside the
index) and reads it again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

from ..base.batching import in_batches
from ..base.runners import call_git, read_objects
from .annex import log_folder, name_of_key
from .branches import Entry
from .output_datasets import OutputDataset
from .pushes import ANNEX_BRANCH, push_annex_branch
from .stores import store_uuid
from .trees import read_entries, root_tree, write_blob, write_tree

# The logs of so many keys are in memory together, and git pushes so many at once.
LOGS_PER_TREE = 20_000
LOGS_PER_PUSH = 200_000

# What a log says of a repository that has the key, and of one that lost it for ever.
PRESENT, DEAD = "1", "X"

_LINE = re.compile(r"(\d+(?:\.\d+)?)s (\S) (.+)")


def publish_locations(output: OutputDataset, keys: Iterable[str], *, status: str = PRESENT) -> None:
    """Record in a store's location logs that it holds these keys (or lost them for ever).

    Of keys that it lost, git-annex then does not count any among those that it
    should find.  Raises `CommandError` where the logs cannot be written or pushed.
    """
    dataset = output.dataset
    uuid = store_uuid(output.store, dataset)
    for part in in_batches(LogPaths(keys), LOGS_PER_PUSH):
        push_annex_branch(
            output,
            change=partial(record_presence, dataset, part, uuid, status=status),
            many=len(part) > LOGS_PER_TREE,
        )


class LogPaths:
    """The paths of the location logs of many keys, sorted, in as little memory as they can be."""

    def __init__(self, keys: Iterable[str]) -> None:
        # By the first character of the path.
        self.parts: dict[str, bytearray] = {}
        for key in keys:
            path = log_path(key)
            self.parts.setdefault(path[0], bytearray()).extend(os.fsencode(path) + b"\0")

    def __iter__(self) -> Iterator[str]:
        for _, part in sorted(self.parts.items()):
            yield from sorted(set(os.fsdecode(bytes(part)).split("\0")[:-1]))


def record_presence(
    dataset: Path, paths: Iterable[str], uuid: str, *, status: str = PRESENT
) -> None:
    """Commit to the branch `git-annex` that a repository has some keys, given by their logs.

    Logs that say so already stay as they are.  `paths` are sorted, so that each
    folder is written once.  Raises `CommandError` where the branch is missing,
    or changes meanwhile.
    """
    head = call_git(["rev-parse", "--verify", "-q", ANNEX_BRANCH], cwd=dataset)
    before = tree = root_tree(dataset, head)
    now = Decimal(f"{time.time():.9f}")
    new = with_presence("", uuid, now=now, status=status)
    for part in in_batches(paths, LOGS_PER_TREE):
        known = read_logs(dataset, tree, part)
        changed = dict.fromkeys(part, new)
        for path, log in known.items():
            changed[path] = with_presence(log, uuid, now=now, status=status)
            if changed[path] == log:
                del changed[path]
        blobs = {text: write_blob(dataset, text) for text in set(changed.values())}
        if changed:
            files = {path: Entry("100644", blobs[text]) for path, text in changed.items()}
            tree = write_tree(dataset, tree, files)
    if tree != before:
        commit = call_git(["commit-tree", tree, "-p", head, "-m", "update"], cwd=dataset)
        # It fails where the branch changed since it was read.
        call_git(["update-ref", ANNEX_BRANCH, commit, head], cwd=dataset)


def log_path(key: str) -> str:
    """A key's location log on the branch `git-annex`."""
    return f"{log_folder(key)}{name_of_key(key)}.log"


def read_logs(dataset: Path, tree: str, paths: Iterable[str]) -> dict[str, str]:
    """Path -> content of those logs that a tree has."""
    blobs = {path: entry.blob for path, entry in read_entries(dataset, tree, paths).items()}
    # Logs that were written together are often the same blob.
    names = sorted(set(blobs.values()))
    found = zip(names, read_objects(names, repository=dataset), strict=True)
    texts = {name: content.decode(errors="surrogateescape") for name, content in found}
    return {path: texts[blob] for path, blob in blobs.items()}


def list_present(log: str) -> set[str]:
    """The repositories that have a key, by its location log: for each, the latest line counts."""
    latest: dict[str, tuple[Decimal, str]] = {}
    for line in log.splitlines():
        if match := _LINE.fullmatch(line):
            said = Decimal(match[1]), match[2]
            latest[match[3]] = max(said, latest.get(match[3], said))
    return {uuid for uuid, (_, status) in latest.items() if status == PRESENT}


def with_presence(log: str, uuid: str, *, now: Decimal, status: str = PRESENT) -> str:
    """A location log to which a repository is added that holds the key.

    Lines of other repositories stay as they are.  For each repository,
    git-annex uses the line with the latest time.  The new line is therefore
    later than those it replaces, even where a clock was wrong.
    """
    kept, own = [], []
    for line in log.splitlines():
        match = _LINE.fullmatch(line)
        if match and match[3] == uuid:
            own.append((Decimal(match[1]), match[2]))
        else:
            kept.append(line)
    latest = max((when for when, _ in own), default=None)
    if latest is not None:
        if {said for when, said in own if when == latest} == {status}:
            return log
        now = max(now, latest + 1)
    return "".join(f"{line}\n" for line in [*kept, f"{now:f}s {status} {uuid}"])
