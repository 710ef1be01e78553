"""What a job uses while it runs (memory, CPU time, scratch space), and what it writes.

Memory is hard to measure.  The kernel keeps the peak of the largest single
process, which is too little for an app of many processes.  A control group
also keeps a peak, but that includes files in the kernel's cache, up to the
job's complete allocation, and all units of the job.  So a thread measures the
processes again and again, and counts each shared page once.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import psutil

from .unit_job import Job

# Between two measurements.  One that takes long (5 ms a GB) is followed by a
# pause a hundred times as long: all of them cost at most a hundredth of a CPU.
PAUSE_SECONDS = 1.0
SHARE = 100


def closing_facts(job: Job) -> dict[str, Any]:
    """What is known of an attempt only at its end, as fields of its record."""
    peak = dict(job.peak)
    if not job.runtime.is_out_of_sight:
        peak["rss_mb"] = largest_process()
    return {
        "end": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": {name: round(value, 3) for name, value in job.seconds.items()},
        "peak": {name: round(value, 1) for name, value in peak.items()},
        "cpu_seconds": job.cpu_seconds,
        "output": job.output,
    }


@contextlib.contextmanager
def observed(job: Job) -> Iterator[None]:
    """Add to the job what the app uses while it runs, where this process can see it."""
    if job.runtime.is_out_of_sight:
        yield
        return
    before = children_cpu()
    with MemoryWatch() as memory:
        try:
            yield
        finally:
            job.cpu_seconds = round(children_cpu() - before, 2)
            job.peak["tree_mb"] = memory.peak_mb


class MemoryWatch:
    """The memory of this process and all that it started, in MB, measured in a thread."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _measure(self) -> None:
        pause = 0.1
        while not self._over.wait(pause):
            start = time.monotonic()
            self.peak_mb = max(self.peak_mb, tree_memory())
            pause = min(PAUSE_SECONDS, 2 * pause)
            pause = max(pause, SHARE * (time.monotonic() - start))


def tree_memory() -> float:
    """Memory of this process and all it started, in MB; shared pages count once."""
    total = 0
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            try:
                total += process.memory_full_info().pss
            except psutil.AccessDenied:
                total += process.memory_info().rss
    return total / 2**20


def children_cpu() -> float:
    """CPU seconds, user and system, of all programs that this process started and outlived."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def largest_process() -> float:
    """Peak memory in MB of the largest program that this process started and outlived."""
    return getrusage(RUSAGE_CHILDREN).ru_maxrss / 1024


def used_space(folder: Path) -> int:
    """Bytes on disk of all files below a folder; what cannot be seen is left out."""
    return sum(found.st_blocks * 512 for found in walk(folder))


def walk(folder: Path | str) -> Iterator[os.stat_result]:
    """The files below a folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    yield from walk(entry.path)
                else:
                    yield entry.stat(follow_symlinks=False)


def content_size(files: Iterable[Path]) -> int:
    """Bytes of some files, annexed ones by their content."""
    total = 0
    for path in files:
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total
