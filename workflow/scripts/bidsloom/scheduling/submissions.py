"""When jobs are submitted, and which of them together as an array."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ..base.batching import in_batches

Job = TypeVar("Job")

# An array has one comment, where jobs of their own each name their unit: fewer
# jobs than this do not make one.
LEAST_TASKS = 16
# Seconds in which jobs come together that Snakemake submits at once.
MOMENT = 0.5
# Seconds for which jobs wait for others, while there are jobs in the queue to run before them.
PATIENCE = 20.0
# Submissions: so many at once, and so many a second after that.
BURST = 30
RATE = 3.0


def is_gathered(number: int, age: float, *, most: int, waiting: int) -> bool:
    """Whether jobs that ask for the same are submitted now.

    `age` is that of the first of them in seconds, `waiting` how many jobs in
    the queue wait for a node: while some do, no node idles for want of a job.
    """
    if most < 2 or number >= most or age >= PATIENCE:
        return True
    return age >= MOMENT and (not waiting or number >= LEAST_TASKS)


def split_in_arrays(jobs: Sequence[Job], *, most: int) -> list[list[Job]]:
    """Jobs in arrays of at most `most` tasks; what is too few for one, each by itself."""
    return [
        part
        for whole in in_batches(jobs, most)
        for part in ([whole] if len(whole) >= min(LEAST_TASKS, most) else [[job] for job in whole])
    ]


@dataclass
class Pace:
    """At most `BURST` submissions at once, and `RATE` a second: a controller has many users."""

    clock: Callable[[], float] = time.monotonic
    left: float = BURST
    at: float = field(default=0.0)

    def allows(self) -> bool:
        """Whether there may be a submission now; it is counted."""
        now = self.clock()
        self.left = min(BURST, self.left + (now - self.at) * RATE)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True
