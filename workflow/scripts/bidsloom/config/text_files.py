"""The text of a file that must be YAML or JSON: a regular file, not large, in UTF-8."""

from __future__ import annotations

import codecs
import os
import re
import stat
from pathlib import Path

from ..base.errors import ConfigFailure, WorkflowFailure

MAX_BYTES = 2_000_000
# UTF-32 first: its mark starts with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# Characters that no text of a configuration needs; line breaks and tabs are none of them.
CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def read_text(path: Path, *, what: str, named_by: str) -> str:
    """The text of a file in UTF-8.  Raises `ConfigFailure` for any other file."""
    try:
        # A fifo would let its reader wait for ever, a device may never end.
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, f"it is {special_kind(mode)}")
        with path.open("rb") as f:
            data = f.read(MAX_BYTES + 1)
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else "its name holds a null character"
        raise ConfigFailure(
            [
                WorkflowFailure(
                    f"{what} {path} cannot be read: {why}.",
                    hint=f"give the path of a YAML or JSON file with {named_by}.",
                )
            ]
        ) from e
    if len(data) > MAX_BYTES:
        raise fault(
            path,
            f"is larger than {MAX_BYTES // 1_000_000} MB",
            "put long lists of subjects into files of their own (subjects.include: pilot.txt).",
        )
    return decode(path, data)


def special_kind(mode: int) -> str:
    """What a file is that is no regular one."""
    kinds = [(stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a fifo"), (stat.S_ISSOCK, "a socket")]
    return next((word for is_kind, word in kinds if is_kind(mode)), "a device")


def decode(path: Path, data: bytes) -> str:
    """The text of a file's bytes.  Raises `ConfigFailure` where they are not UTF-8."""
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "")
    if not encoding and data[:4].count(b"\0") == 2:
        encoding = "UTF-16LE" if data[1] == 0 else "UTF-16BE"
    if encoding:
        raise fault(path, f"is written in {encoding}; expected: UTF-8", conversion(path, encoding))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        # Any bytes are text in latin-1; where Windows differs from it, Windows is meant.
        windows = any(0x80 <= byte < 0xA0 for byte in data)
        encoding = "WINDOWS-1252" if windows else "ISO-8859-1 (latin-1)"
        raise fault(
            path,
            f"is not written in UTF-8; it looks like {encoding}",
            conversion(path, encoding.partition(" ")[0]),
            line=data.count(b"\n", 0, e.start) + 1,
        ) from e
    if found := CONTROL.search(text):
        raise fault(
            path,
            f"holds the control character {found[0]!r}",
            "delete it; an editor may not show it.",
            line=text.count("\n", 0, found.start()) + 1,
        )
    return text


def conversion(path: Path, encoding: str) -> str:
    """How to convert a file."""
    return f"iconv -f {encoding} -t UTF-8 '{path.name}' > new.yaml, or save it as UTF-8."


def fault(path: Path, what: str, hint: str, *, line: int | None = None) -> ConfigFailure:
    """The failure for one fault of a file."""
    place = f", line {line}," if line else ""
    return ConfigFailure([WorkflowFailure(f"The file {path}{place} {what}.", hint=hint)])
