"""The SLURM jobs of a batch whose units have a job each, while Snakemake knows one for all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..config import Study
from .batches import list_missing


@dataclass
class UnitJobs:
    """The jobs of a batch's units that have not ended: SLURM's id -> unit, and -> log."""

    batch: str
    jobs: dict[str, str] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)
    succeeded: set[str] = field(default_factory=set)
    clock: Callable[[], float] = time.monotonic
    last_end: float = 0.0

    def end(self, job: str, *, success: bool) -> None:
        """Note that a job has ended."""
        unit = self.jobs.pop(job, "")
        if success:
            self.succeeded.add(unit)
        self.last_end = self.clock()

    def is_over(self, study: Study, patience: float) -> bool:
        """Whether all have ended, and the records of those that succeeded are seen here.

        A shared file system may show a record late: `patience` is for how many
        seconds that is believed.
        """
        if self.jobs:
            return False
        unseen = self.succeeded & {unit.name for unit in list_missing(study, self.batch)}
        return not unseen or self.clock() - self.last_end > patience


def batch_size(*, due: int, many: int, most: int, at_once: int) -> int:
    """How many units a job of Snakemake's stands for, where each unit has a job of its own.

    With at most `many` units due, one.  With more it is an array of at most
    `most` jobs, and of a quarter of the `at_once` jobs that may be in the queue,
    so that others fill the places of those that end.
    """
    if due <= many or most < 2:
        return 1
    return min(most, max(2, at_once // 4) if at_once else most)
