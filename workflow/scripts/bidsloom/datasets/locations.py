"""Location logs: git-annex' own notes of which repository holds which key.

They are files of the branch `git-annex`, one a key.  `git annex setpresentkey`
takes milliseconds and a journal file for each; here the logs of a whole merge
become one commit by `git fast-import`.  git-annex notices that its branch
moved (it keeps the commit of its index beside it) and reads it anew.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from ..base.errors import CommandError
from ..base.runners import call, call_annex, call_git, read_objects
from .annex import log_folder, name_of_key
from .branches import head_of
from .pushes import push_refs
from .stores import REMOTE

ANNEX = "refs/heads/git-annex"
# git-annex in the store may write its branch at any time.
PUSH_ATTEMPTS = 5
_LINE = re.compile(r"(\d+(?:\.\d+)?)s (\S) (.+)")


def publish_locations(dataset: Path, keys: Iterable[str], uuid: str) -> None:
    """Let the store's location logs tell that it holds these keys.

    What the store knows is taken in first.  A push that it rejects, because
    its own branch moved meanwhile, is begun again from there; what was
    written before is then found written.
    """
    paths = {log_path(key) for key in keys}
    for attempt in range(PUSH_ATTEMPTS):
        call_git(["fetch", "-q", REMOTE, f"+{ANNEX}:refs/remotes/{REMOTE}/git-annex"], cwd=dataset)
        # Also commits what an interrupted git-annex left in its journal.
        call_annex(["merge", "-q"], cwd=dataset)
        try:
            record_presence(dataset, paths, uuid)
            push_refs([REMOTE, f"{ANNEX}:{ANNEX}"], cwd=dataset)
        except CommandError:
            if attempt == PUSH_ATTEMPTS - 1:
                raise
        else:
            return


def record_presence(dataset: Path, paths: set[str], uuid: str) -> None:
    """Commit logs that name the repository to the branch `git-annex`, where they do not yet."""
    head = head_of(dataset, ANNEX)
    now = Decimal(f"{time.time():.9f}")
    known = read_logs(dataset, head, paths)
    logs = {path: with_presence(known.get(path, ""), uuid, now=now) for path in sorted(paths)}
    changed = {path: log for path, log in logs.items() if log != known.get(path)}
    if changed:
        ident = call_git(["var", "GIT_COMMITTER_IDENT"], cwd=dataset)
        # Refused where the branch moved since it was read; `--done`, because
        # half of what is written here must not count if we die in between.
        call(
            ["git", "fast-import", "--quiet", "--done"],
            cwd=dataset,
            stdin=import_commands(changed, head, ident),
        )


def log_path(key: str) -> str:
    """A key's location log on the branch `git-annex`."""
    return f"{log_folder(key)}{name_of_key(key)}.log"


def read_logs(dataset: Path, head: str, paths: set[str]) -> dict[str, str]:
    """Path -> content of those of the logs that there are."""
    out = call(["git", "ls-tree", "-r", "-z", head], cwd=dataset)
    blobs = {}
    for line in out.decode(errors="surrogateescape").split("\0")[:-1]:
        about, _, path = line.partition("\t")
        if path in paths:
            blobs[path] = about.split()[2]
    # Logs that were written together are one and the same blob.
    names = sorted(set(blobs.values()))
    found = zip(names, read_objects(names, repository=dataset), strict=True)
    texts = {name: content.decode(errors="surrogateescape") for name, content in found}
    return {path: texts[blob] for path, blob in blobs.items()}


def with_presence(log: str, uuid: str, *, now: Decimal) -> str:
    """A location log that says that a repository holds the key.

    Lines of other repositories stay as they are.  git-annex takes the newest
    line of a repository, so the new one is newer than what it replaces,
    whatever the clocks say.
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
    """What `git fast-import` reads: one commit with these logs, each text once."""
    marks = {text: mark for mark, text in enumerate(dict.fromkeys(logs.values()), start=1)}
    parts = []
    for text, mark in marks.items():
        size = len(os.fsencode(text))
        parts.append(f"blob\nmark :{mark}\ndata {size}\n{text}\n")
    parts.append(f"commit {ANNEX}\ncommitter {ident}\ndata 6\nupdate\nfrom {head}\n")
    parts.extend(f"M 100644 :{marks[text]} {path}\n" for path, text in logs.items())
    return os.fsencode("".join(parts) + "\ndone\n")
