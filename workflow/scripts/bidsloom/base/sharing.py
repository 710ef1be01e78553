"""The repository of a group: what one member makes there, every member may change.

git and git-annex set the permissions of what they write themselves, by
`core.sharedRepository`.  Jobs also write there without them, and git-annex by
a special remote that does not know this setting: those follow the umask.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from .git_settings import trust
from .runners import call_git

SHARED = "core.sharedRepository"
GROUP_BITS = 0o070


def open_umask() -> None:
    """Let the group read and change what this process makes from now on."""
    os.umask(os.umask(0o077) & ~GROUP_BITS)


def is_shared(repository: Path) -> bool:
    """True where a repository is made for a group, or for everybody."""
    try:
        # Not by git, which would not look into a repository of another user.
        text = (repository / "config").read_text(errors="replace")
    except OSError:
        return False
    found = re.findall(r"^\s*sharedrepository\s*=\s*\"?(\w+)", text, re.MULTILINE | re.IGNORECASE)
    return bool(found) and found[-1].lower() not in ("umask", "false", "no", "off", "0")


def join_group(repository: Path) -> None:
    """Work in the repository of a group, which another member may have made.

    Whoever names a group's repository in a config trusts its members; git
    would refuse to work there.
    """
    open_umask()
    places = [str(repository), os.path.realpath(repository)]
    with contextlib.suppress(OSError):
        if repository.stat().st_uid != os.geteuid():
            trust(os.environ, places)


def share_repository(repository: Path) -> None:
    """Make a repository one of its group, as far as it is not.

    Raises `CommandError` where its settings cannot be changed.
    """
    if not is_shared(repository):
        call_git(["config", SHARED, "group"], cwd=repository)
    # Jobs replace branches of their own.
    call_git(["config", "receive.denyNonFastForwards", "false"], cwd=repository)
    for folder, _, names in os.walk(repository):
        open_to_group(Path(folder))
        # Objects are never changed, and the annex makes them read-only.
        if "objects" not in Path(folder).relative_to(repository).parts:
            for name in names:
                open_to_group(Path(folder, name))


def open_to_group(path: Path) -> None:
    """Let the group do what the owner may; what is made in a folder belongs to its group."""
    with contextlib.suppress(OSError):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return
        wanted = stat.S_IMODE(mode) | (mode & 0o700) >> 3
        wanted |= stat.S_ISGID if stat.S_ISDIR(mode) else 0
        if wanted != stat.S_IMODE(mode):
            path.chmod(wanted)
