"""Small files that record what happened: JSON, tables, text.

All of them can be made again from the output store, so losing one loses
nothing.  Each is written under a temporary name first: no reader ever sees
half a file, and no killed writer leaves one.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .runners import end_processes_in


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Write a file completely or not at all; if `private`, only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        # File names that are not UTF-8 are written with escapes, as JSON does.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as f:
            f.write(text)
        # mkstemp makes files with mode 0600, which colleagues could not read.
        temporary.chmod(0o600 if private else 0o666 & ~current_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise


def current_umask() -> int:
    """The process' umask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_json(path: Path, value: object) -> None:
    """Write a JSON file completely or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; None where the file is missing or incomplete."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def write_tsv(path: Path, columns: list[str], rows: Iterable[Mapping]) -> None:
    """Write a table as BIDS does: tabs, a header, `n/a` for unknown values."""
    lines = ["\t".join(columns)]
    for row in rows:
        cells = ("n/a" if row.get(c) in (None, "") else str(row[c]) for c in columns)
        lines.append("\t".join(" ".join(cell.split()) for cell in cells))
    write_text(path, "\n".join(lines) + "\n")


def iterate_tsv(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table, one at a time; none where the file is missing."""
    try:
        with path.open(newline="") as f:
            yield from csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)
    except OSError:
        return


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Rows of a table; none where the file is missing."""
    return list(iterate_tsv(path))


def find_row(path: Path, **cell: str) -> dict[str, str] | None:
    """The first row with the given cell; the table is never in memory as a whole."""
    ((column, value),) = cell.items()
    return next((row for row in iterate_tsv(path) if row[column] == value), None)


def digest(value: object) -> str:
    """A short digest of anything JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def remove_tree(path: Path, *, tries: int = 5) -> None:
    """Remove a folder with annexed content, which has read-only folders.

    git-annex may still add or remove files of its own there after the command
    that started it has returned, so removal is tried several times.  Programs
    that still work in the folder are ended.

    Raises `OSError` where the folder cannot be removed.
    """
    for left in reversed(range(tries)):
        try:
            for folder, _, _ in os.walk(path):
                Path(folder).chmod(0o700)
            shutil.rmtree(path)
            return
        except OSError:
            if not path.exists():
                return
            if not left:
                raise
            end_processes_in(path)
            time.sleep(0.2)
