"""Files with secrets: they belong to this user, and nobody else can open them."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from .errors import WorkflowFailure

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def read_private(path: Path, *, key: str, one_line: str) -> str:
    """The text of a file that belongs to this user, and that nobody else can open.

    `key` is that of the configuration; `one_line` says what each line is.
    Raises `WorkflowFailure` for any other file.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK)) as f:
            found = os.fstat(f.fileno())
            text = f.read() if stat.S_ISREG(found.st_mode) else ""
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is no text"
        raise WorkflowFailure(
            f"{key} {path} cannot be read: {why}.",
            hint=f"write one {one_line} a line into it, then: chmod 600 '{path}'",
        ) from e
    if found.st_uid != os.geteuid():
        raise WorkflowFailure(
            f"{key} {path} belongs to another user, who knows each {one_line} in it.",
            hint=f"make one of your own: install -m 600 /dev/null '{path}.mine', and name that.",
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o177:
        raise WorkflowFailure(
            f"{key} {path} has the mode {mode:03o}; expected: 600, so that nobody else reads "
            f"each {one_line} in it.",
            hint=f"chmod 600 '{path}'",
        )
    return text


def read_variables(path: Path, *, key: str) -> dict[str, str]:
    """The variables of a private file with lines `NAME=value`; a line that starts with `#` is none.

    Raises `WorkflowFailure` for any other line, of which nothing is shown.
    """
    found = {}
    text = read_private(path, key=key, one_line="NAME=value")
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise WorkflowFailure(
                f"Line {number} of {key} {path} is not of the form NAME=value.",
                hint="for example WEBDAV_USERNAME=jane; a comment starts with '#'.",
            )
        value = match[2]
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[match[1]] = value[1:-1] if quoted else value
    return found
