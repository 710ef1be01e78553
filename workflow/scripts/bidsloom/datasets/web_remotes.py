"""Remotes on web servers whose annex git-annex could not read when it first looked.

It asks a server once whether a repository there has an annex.  "No" is kept in
the clone's settings, also where the server wanted a password, was not trusted,
or was away for a moment.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..base.errors import CommandError
from ..base.runners import call_annex, call_git, call_git_lines, call_git_success

# git-annex' setting for such a remote.
UNREAD = "annex-ignore-auto"


def look_again(repository: Path) -> dict[str, str]:
    """Ask anew where git-annex could not read an annex; returns remote -> why it still cannot."""
    return {name: said for name in list_unread(repository) if (said := ask(repository, name))}


def list_unread(repository: Path) -> list[str]:
    """The remotes whose annex git-annex could not read."""
    try:
        pattern = rf"^remote\..*\.{UNREAD}$"
        names = call_git_lines(["config", "--name-only", "--get-regexp", pattern], cwd=repository)
    except CommandError:
        return []
    return [
        name.removeprefix("remote.").removesuffix(f".{UNREAD}") for name in dict.fromkeys(names)
    ]


def ask(repository: Path, remote: str) -> str:
    """Let git-annex read a remote's annex; returns why it cannot, empty where it can."""
    call_git(["config", f"remote.{remote}.annex-ignore", "false"], cwd=repository)
    try:
        call_annex(["find", f"--in={remote}"], cwd=repository)
    except CommandError as e:
        failed = re.search(r"download failed: (.*)", e.stderr)
        return failed[1] if failed else e.stderr.strip()
    call_git_success(["config", "--unset-all", f"remote.{remote}.{UNREAD}"], cwd=repository)
    return ""


def may_be_unread(repository: Path) -> bool:
    """False where a look at the clone's settings shows that there is no such remote."""
    try:
        return UNREAD in (repository / ".git" / "config").read_text(errors="replace")
    except OSError:
        return False
