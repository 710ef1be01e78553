"""Small files that tell what happened: records, attempts, tables.

All of them can be derived again from the output store; losing them loses
nothing.  Written under a temporary name first, so that a reader (or a killed
writer) never leaves half a file.
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


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        # A name that is not UTF-8 is written as JSON would write it.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as f:
            f.write(text)
        # mkstemp's 0600 would hide the file from colleagues.
        temporary.chmod(0o666 & ~current_umask())
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
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file; None where it is missing or cut short."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def write_tsv(path: Path, columns: list[str], rows: Iterable[Mapping]) -> None:
    """Write a table as BIDS does: tabs, a header, `n/a` for what is unknown."""
    lines = ["\t".join(columns)]
    for row in rows:
        cells = ("n/a" if row.get(c) in (None, "") else str(row[c]) for c in columns)
        lines.append("\t".join(" ".join(cell.split()) for cell in cells))
    write_text(path, "\n".join(lines) + "\n")


def iterate_tsv(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table, one at a time; none where it is missing."""
    try:
        with path.open(newline="") as f:
            yield from csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)
    except OSError:
        return


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Rows of a table; none where it is missing."""
    return list(iterate_tsv(path))


def find_row(path: Path, **cell: str) -> dict[str, str] | None:
    """The first row with the given cell, without the whole table in memory."""
    ((column, value),) = cell.items()
    return next((row for row in iterate_tsv(path) if row[column] == value), None)


def digest(value: object) -> str:
    """A short digest of anything JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def remove_tree(path: Path, *, tries: int = 5) -> None:
    """Remove a folder with annexed content, whose folders are read-only.

    git-annex may still be tidying its own files there when its caller is
    back: what appears or disappears meanwhile is looked for again.
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
