"""What the next attempt at a unit asks for, by why the last one failed.

A job that ran out of memory or time gets more of it; one that was lost with its
node gets the same again; an app's own failure is tried once more as it was,
since some are passing; bad input is not tried again at all, nor what somebody
cancelled on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

from .config import RetryPolicy
from .errors import FailureClass

ONCE_MORE = {FailureClass.APP_ERROR, FailureClass.INPUT_UNAVAILABLE, FailureClass.NO_SPACE}
NEVER = {FailureClass.BAD_CONFIG}


@dataclass(frozen=True)
class Request:
    """Memory in MB and time in minutes of one job; None where nobody said."""

    mem_mb: int | None
    runtime: int | None


def next_request(base: Request, attempts: list[dict], policy: RetryPolicy) -> Request:
    """What to ask for after some failed attempts.

    Failures at less than `base` tell nothing: the configuration was changed
    since, and its word stands.
    """
    mem_mb, runtime = base.mem_mb, base.runtime
    for attempt in attempts:
        requested = attempt.get("requested", {})
        why = attempt.get("failure_class")
        if why == FailureClass.OUT_OF_MEMORY.value and mem_mb:
            mem_mb = escalate(mem_mb, requested.get("mem_mb"), policy.memory_factor)
        if why == FailureClass.TIMEOUT.value and runtime:
            runtime = escalate(runtime, requested.get("runtime"), policy.time_factor)
    return Request(
        mem_mb=capped(mem_mb, base.mem_mb, policy.max_mem_mb),
        runtime=capped(runtime, base.runtime, policy.max_runtime),
    )


def escalate(now: int, failed_at: int | None, factor: float) -> int:
    """More than what failed, where that was at least what would be asked for now."""
    return round(failed_at * factor) if failed_at and failed_at >= now else now


def capped(value: int | None, base: int | None, cap: int | None) -> int | None:
    """A value of at most the cap, yet never less than what the configuration asks for."""
    return value if value is None or cap is None else max(min(value, cap), base or 0)


def shared_request(requests: list[Request], *, max_runtime: int | None) -> Request:
    """What units that run one after the other ask for together.

    The largest memory, and the sum of their times: at most the cap, yet never
    less than one of them needs.
    """
    sizes = [r.mem_mb for r in requests if r.mem_mb is not None]
    times = [r.runtime for r in requests if r.runtime is not None]
    return Request(
        mem_mb=max(sizes, default=None),
        runtime=capped(sum(times), max(times), max_runtime) if times else None,
    )


def is_worth_retrying(attempts: list[dict], *, this_run: int) -> bool:
    """Whether the last of some failed attempts may go better another time.

    `this_run` is the number of attempts that the running Snakemake has made.
    """
    if not attempts:
        return True
    classes = [attempt.get("failure_class") for attempt in attempts[-this_run:]]
    if classes[-1] in {c.value for c in NEVER} or attempts[-1].get("on_purpose"):
        return False
    once = {c.value for c in ONCE_MORE}
    return not (classes[-1] in once and classes[:-1].count(classes[-1]) >= 1)


def classify_scheduler_end(state: str, log: str) -> tuple[FailureClass, str]:
    """Why SLURM ended a job, from its state and its log; with words for people.

    `state` is SLURM's own (`TIMEOUT`, `CANCELLED by 1000`, ...), or `VANISHED`
    where SLURM does not know the job any more.
    """
    ends = [
        (("OUT_OF_MEMORY",), ("exceeded memory limit", "oom-kill", "oom_kill", "Out Of Memory")),
        (("TIMEOUT", "DEADLINE"), ("DUE TO TIME LIMIT",)),
        (("NODE_FAIL", "BOOT_FAIL", "VANISHED"), ("DUE TO NODE FAILURE",)),
        (("PREEMPTED",), ("DUE TO PREEMPTION",)),
        (("CANCELLED", "REVOKED"), ("CANCELLED AT",)),
    ]
    meanings = [
        (FailureClass.OUT_OF_MEMORY, "it used more memory than it had asked for"),
        (FailureClass.TIMEOUT, "it was not done within its time limit"),
        (FailureClass.NODE_FAILURE, "its node failed"),
        (FailureClass.CANCELLED, "another job took its place (preemption)"),
        (FailureClass.CANCELLED, "it was cancelled"),
    ]
    first = state.split(" ")[0].rstrip("+")
    for (states, words), meaning in zip(ends, meanings, strict=True):
        if first in states and first != "CANCELLED":
            return meaning
        if any(word in log for word in words):
            return meaning
    if first == "CANCELLED":
        return FailureClass.CANCELLED, "it was cancelled"
    return FailureClass.NODE_FAILURE, "it was killed from outside"
