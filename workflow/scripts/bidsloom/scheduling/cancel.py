"""Cancel the jobs of some units, and of no others.

A note tells the run that this was on purpose: the unit is not tried again
until Snakemake is started again.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.runners import call
from ..config import Study
from ..records.cancellations import note_cancellation
from .in_progress import Work, find_local, find_queued


@dataclass(frozen=True)
class Plan:
    """What is cancelled: units, with SLURM's jobs and processes of this machine.

    `shared` are units that are not cancelled, with the other units of their
    job; `absent` are units that have no job.
    """

    work: tuple[Work, ...] = ()
    units: tuple[str, ...] = ()
    shared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


def cancel_units(study: Study, asked: Sequence[str], *, with_neighbours: bool) -> Plan:
    """Cancel the jobs of some units; returns what was done."""
    plan = plan_cancel(
        asked, [*find_local(study), *find_queued(study)], with_neighbours=with_neighbours
    )
    # Before the jobs end, because the notes are read when a job ends.
    for unit in plan.units:
        note_cancellation(study, unit)
    jobs = sorted({work.job for work in plan.work if work.job})
    if jobs:
        try:
            call(["scancel", *jobs], cwd=Path("/"), timeout=60)
        except CommandError as e:
            for unit in plan.units:
                study.files.cancellation(unit).unlink(missing_ok=True)
            raise WorkflowFailure(
                f"SLURM did not cancel {', '.join(jobs)}: {e.stderr.strip()}",
                hint="only the user who submitted these jobs can cancel them; see squeue.",
            ) from e
    for process in {work.process for work in plan.work if work.process}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)
    return plan


def plan_cancel(asked: Iterable[str], work: Iterable[Work], *, with_neighbours: bool) -> Plan:
    """What to cancel for some units, given all jobs that exist."""
    work = list(work)
    chosen, units, shared, absent = [], [], {}, []
    asked = list(dict.fromkeys(asked))
    for unit in asked:
        own = [w for w in work if w.unit == unit]
        together = {other for w in own for other in w.shared}
        neighbours = tuple(sorted(together - set(asked)))
        if not own:
            absent.append(unit)
        elif neighbours and not with_neighbours:
            shared[unit] = neighbours
        else:
            chosen += own
            units += [unit, *neighbours]
    return Plan(tuple(chosen), tuple(dict.fromkeys(units)), shared, tuple(absent))
