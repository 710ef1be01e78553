"""Location logs: git-annex' own notes of which repository holds which key.

They are files of the branch `git-annex`, one for each key.  `git annex
setpresentkey` needs milliseconds and a journal file for each of them; here
`git fast-import` writes the logs of a complete merge as one commit.  git-annex
sees that its branch has changed (it keeps the commit of its index beside the
index) and reads it again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from ..base.runners import call, call_git, read_objects
from .annex import log_folder, name_of_key
from .pushes import ANNEX_BRANCH, push_annex_branch

_LINE = re.compile(r"(\d+(?:\.\d+)?)s (\S) (.+)")


def publish_locations(dataset: Path, keys: Iterable[str], uuid: str) -> None:
    """Record in the store's location logs that it holds these keys.

    Raises `CommandError` where the logs cannot be written or pushed.
    """
    paths = {log_path(key) for key in keys}
    push_annex_branch(dataset, change=lambda: record_presence(dataset, paths, uuid))


def record_presence(dataset: Path, paths: set[str], uuid: str) -> None:
    """Commit to the branch `git-annex` that a repository has some keys, given by their logs.

    Logs that say so already stay as they are.  Raises `CommandError` where the
    branch is missing, or changes meanwhile.
    """
    head = call_git(["rev-parse", "--verify", "-q", ANNEX_BRANCH], cwd=dataset)
    now = Decimal(f"{time.time():.9f}")
    known = read_logs(dataset, head, paths)
    logs = {path: with_presence(known.get(path, ""), uuid, now=now) for path in sorted(paths)}
    changed = {path: log for path, log in logs.items() if log != known.get(path)}
    if changed:
        ident = call_git(["var", "GIT_COMMITTER_IDENT"], cwd=dataset)
        # It fails where the branch changed since it was read.  With `--done`,
        # nothing is committed if this process dies before the last line.
        call(
            ["git", "fast-import", "--quiet", "--done"],
            cwd=dataset,
            stdin=import_commands(changed, head, ident),
        )


def log_path(key: str) -> str:
    """A key's location log on the branch `git-annex`."""
    return f"{log_folder(key)}{name_of_key(key)}.log"


def read_logs(dataset: Path, head: str, paths: set[str]) -> dict[str, str]:
    """Path -> content of those logs that exist at a commit."""
    out = call(["git", "ls-tree", "-r", "-z", head], cwd=dataset)
    blobs = {}
    for line in out.decode(errors="surrogateescape").split("\0")[:-1]:
        about, _, path = line.partition("\t")
        if path in paths:
            blobs[path] = about.split()[2]
    # Logs that were written together are often the same blob.
    names = sorted(set(blobs.values()))
    found = zip(names, read_objects(names, repository=dataset), strict=True)
    texts = {name: content.decode(errors="surrogateescape") for name, content in found}
    return {path: texts[blob] for path, blob in blobs.items()}


def with_presence(log: str, uuid: str, *, now: Decimal) -> str:
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
        if {status for when, status in own if when == latest} == {"1"}:
            return log
        now = max(now, latest + 1)
    return "".join(f"{line}\n" for line in [*kept, f"{now:f}s 1 {uuid}"])


def import_commands(logs: Mapping[str, str], head: str, ident: str) -> bytes:
    """Input of `git fast-import`: one commit with these logs; equal texts are sent once."""
    marks = {text: mark for mark, text in enumerate(dict.fromkeys(logs.values()), start=1)}
    parts = []
    for text, mark in marks.items():
        size = len(os.fsencode(text))
        parts.append(f"blob\nmark :{mark}\ndata {size}\n{text}\n")
    parts.append(f"commit {ANNEX_BRANCH}\ncommitter {ident}\ndata 6\nupdate\nfrom {head}\n")
    parts.extend(f"M 100644 :{marks[text]} {path}\n" for path, text in logs.items())
    return os.fsencode("".join(parts) + "\ndone\n")
