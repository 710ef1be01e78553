"""Notes of jobs that came to their end: `results/<study>/ended/<run>/<job>.json`.

A job on a node writes one when all else is done, and Snakemake's main process
reads it within a second: SLURM need not be asked.  Notes of a run of Snakemake
are removed at its end.  A job that was killed leaves none.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..base.files import read_json, write_json
from .json_fields import known_fields

# A killed run leaves its folder; no job of it writes there after so many seconds.
OLD = 30 * 86400


@dataclass(frozen=True)
class JobEnd:
    """The end of a job: of which unit or batch, at which attempt, with which exit code.

    SLURM may start to count its jobs anew, so its id alone does not name a job.
    """

    name: str = ""
    attempt: int = 0
    exit_code: int = 1


def write_end(folder: Path, job: str, end: JobEnd) -> None:
    """Note how a job ended; a note that cannot be written changes nothing about its result."""
    with contextlib.suppress(OSError):
        write_json(folder / f"{job}.json", asdict(end))


def take_ends(folder: Path) -> Iterator[tuple[str, JobEnd]]:
    """SLURM's id and the end of each job that ended since the last call; removes the notes."""
    try:
        # Opening a folder makes NFS ask its server, other than asking for a file in it.
        names = [path for path in folder.iterdir() if path.suffix == ".json"]
    except OSError:
        return
    for path in names:
        value = read_json(path)
        if path.name.startswith(".") or not isinstance(value, Mapping):
            continue
        path.unlink(missing_ok=True)
        yield path.stem, JobEnd(**known_fields(JobEnd, value))


def remove_ends(folder: Path) -> None:
    """Remove the notes of a run, and those that a killed run left long ago."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        for other in folder.parent.iterdir():
            if other.stat().st_mtime < time.time() - OLD:
                shutil.rmtree(other, ignore_errors=True)
