"""What is known of the running SLURM jobs, and why each of them ended.

The state of `slurm_adapter.py`, which stands between Snakemake and its SLURM
plugin.  When a job has failed, the cause is written among the unit's attempts,
and whether another attempt is worth it is decided by that cause.
"""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path

from ..base.errors import FailureClass, WorkflowFailure
from ..checks.findings import Finding, Level, write_findings
from ..config import Study
from ..config.request import Request
from ..records.attempts import Attempt, add_attempt, read_attempts, write_attempts
from ..records.cancellations import read_cancellation
from ..records.running import read_running
from .batches import list_left, list_missing
from .slurm import ask, classify_scheduler_end

# States of jobs that did not end by themselves.
ENDED_BY_SLURM = {"CANCELLED", "TIMEOUT", "DEADLINE", "PREEMPTED"}

# Status cycles without a word of a job until it counts as vanished.
CYCLES = 2


class Watch:
    """What is known of the running jobs, by their SLURM ids."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.active: set[str] = set()
        self.states: dict[str, str] = {}
        self.unseen: Counter[str] = Counter()
        self.answered = False

    def of(self, study: Study) -> Watch:
        """The same, for the jobs of another study of the run."""
        view = copy.copy(self)
        view.study = study
        return view

    def translate(self, statuses: dict[str, str]) -> dict[str, str]:
        """SLURM's states in words that the plugin acts upon."""
        self.states |= statuses
        self.answered = True
        told = {job: state.split(" ")[0].rstrip("+") for job, state in statuses.items()}
        for job, state in told.items():
            # The profile forbids requeueing: a preempted job does not come back.
            if state in ("PREEMPTED", "REVOKED"):
                told[job] = "CANCELLED"
        for job in self.active - set(told):
            if self.unseen[job] >= CYCLES:
                self.states[job] = "VANISHED"
                told[job] = "FAILED"
        return told

    def end_cycle(self, *, counts: bool = True) -> None:
        """Count the jobs that SLURM did not speak of in this cycle, unless it came early."""
        if self.answered and counts:
            for job in self.active:
                self.unseen[job] = 0 if job in self.states else self.unseen[job] + 1
        self.states = {j: s for j, s in self.states.items() if s == "VANISHED"}
        self.answered = False

    def conclude(
        self, unit: str, job: str, slurm_log: Path | None, requested: Request
    ) -> list[Attempt]:
        """Write why an attempt ended, unless the job has already recorded the cause.

        Returns all attempts at the unit.
        """
        attempts = read_attempts(self.study, unit)
        text = read_tail(slurm_log)
        failure_class, why = classify_scheduler_end(self.states.get(job, ""), text)
        own = attempts[-1] if attempts and attempts[-1].scheduler_job_id == job else None
        # A job that could still speak knows its app's failure; what SLURM did
        # to it looks like a cancellation from within, or like an app that failed.
        by_slurm = self.states.get(job, "").partition(" ")[0] in ENDED_BY_SLURM
        if own is None or by_slurm or own.failure_class is FailureClass.CANCELLED:
            cancellation = read_cancellation(self.study, unit)
            failure = WorkflowFailure(
                f"SLURM job {job} of {unit} has no result: {why}{node_of(job)}.",
                hint=f"SLURM's own log: {slurm_log}",
                failure_class=failure_class,
            )
            # What the job itself recorded of its work stays.
            begun = own or Attempt(unit=unit)
            attempt = begun.ended(
                cancellation.as_failure(unit) if cancellation else failure,
                exit_code=begun.exit_code,
                scheduler_job_id=job,
                scheduler_state=self.states.get(job, ""),
                attempt=len(attempts) + (own is None),
                requested=requested,
                peak=peak_of(job),
                log=tuple(text.splitlines()[-20:]),
                on_purpose=cancellation is not None,
            )
            attempts = [*(attempts[:-1] if own else attempts), attempt]
            write_attempts(self.study, unit, attempts)
        return attempts

    def conclude_batch(
        self, batch: str, job: str, slurm_log: Path | None, requested: Request
    ) -> tuple[list[Attempt], bool]:
        """Charge the end of a batch's job to the unit that was at work.

        Returns the last attempts at the units without a result, and whether
        another job is worth it for any.
        """
        note = read_running(self.study, batch)
        names = [unit.name for unit in list_missing(self.study, batch)]
        if note is None or note.scheduler_job_id != job:
            # It ended before it came to its first unit.
            unit = names[0] if names else None
        else:
            # None where the job came to its end by itself, or just then to the next unit.
            unit = note.unit if note.unit in names else None
            requested = note.requested
        for name in names:
            if name == unit or read_cancellation(self.study, name):
                self.conclude(name, job, slurm_log, requested)
        return self.judge_batch(batch)

    def judge_batch(self, batch: str) -> tuple[list[Attempt], bool]:
        """The last attempts at a batch's units without a result; whether one is worth another."""
        names = [unit.name for unit in list_missing(self.study, batch)]
        attempts = [read_attempts(self.study, name) for name in names]
        worth = bool(list_left(self.study, batch))
        return [tried[-1] for tried in attempts if tried], worth

    def conclude_refused(
        self, unit: str | None, batch: str | None, said: str, requested: Request
    ) -> None:
        """Write that SLURM did not take a job, for each unit that it was for."""
        # The plugin adds its complete command.
        said = said.partition("\n    sbatch call")[0].strip()
        units = [unit] if unit else [each.name for each in list_missing(self.study, batch or "")]
        for name in units:
            failure = WorkflowFailure(
                f"SLURM did not take the job of {name}: {said}",
                hint="see hpc in the config, the profile, and the site's limit for one user.",
                failure_class=FailureClass.NODE_FAILURE,
            )
            number = len(read_attempts(self.study, name)) + 1
            attempt = Attempt.of(name, failure, attempt=number, requested=requested)
            add_attempt(self.study, attempt)

    def conclude_check(self, name: str, msg: str | None) -> None:
        """Write why a check on the nodes has no answer, unless it gave one."""
        path = self.study.files.findings(name)
        if not path.exists():
            hint = "see the log that SLURM's message names, hpc and the profile; then try again."
            said = f"no answer. {msg or ''}"
            where, wanted = "the cluster", "a job that looks around"
            finding = Finding(f"check of {name}", Level.FAILURE, where, said, wanted, hint)
            write_findings(path, [finding])


def node_of(job: str) -> str:
    """Where a job ran, as far as SLURM still knows."""
    node = ask("squeue", "-h", "--states=all", "-j", job, "-o", "%N")
    return f" on {node}" if node else ""


def peak_of(job: str) -> dict[str, float]:
    """Peak memory in MB and seconds of a job, from accounting where there is one."""
    rows = [
        line.split("|")
        for line in ask(
            "sacct", "-n", "-P", "--units=M", "-j", job, "-o", "MaxRSS,ElapsedRaw"
        ).splitlines()
    ]
    peaks = [float(row[0].rstrip("M")) for row in rows if row[0].endswith("M")]
    seconds = [int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()]
    found = {"rss_mb": max(peaks, default=None), "seconds": max(seconds, default=None)}
    return {name: value for name, value in found.items() if value is not None}


def read_tail(path: Path | None) -> str:
    """The last 64 kB of a log; nothing where there is none."""
    try:
        return path.read_bytes()[-65536:].decode(errors="replace") if path else ""
    except OSError:
        return ""
