"""What a job asks for: CPUs, memory and time, raised by what earlier attempts failed for.

Pure functions; the rules' resources and the job scripts both come from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..base.errors import FailureClass
from ..config.request import Request
from ..config.study import RetryPolicy
from ..records.attempts import Attempt


def next_request(base: Request, attempts: Iterable[Attempt], policy: RetryPolicy) -> Request:
    """What to ask for after some failed attempts.

    Failures at less than `base` are ignored: the configuration was raised
    since then.
    """
    mem_mb, minutes = base.mem_mb, base.minutes
    for attempt in attempts:
        requested, why = attempt.requested, attempt.failure_class
        if why is FailureClass.OUT_OF_MEMORY and mem_mb:
            mem_mb = escalate(mem_mb, requested.mem_mb, policy.memory_factor)
        if why is FailureClass.TIMEOUT and minutes:
            minutes = escalate(minutes, requested.minutes, policy.time_factor)
    return replace(
        base,
        mem_mb=capped(mem_mb, base.mem_mb, policy.max_mem_mb),
        minutes=capped(minutes, base.minutes, policy.max_minutes),
    )


def escalate(now: int, failed_at: int | None, factor: float) -> int:
    """More than what failed, where that was at least what would be asked for now."""
    return round(failed_at * factor) if failed_at and failed_at >= now else now


def capped(value: int | None, base: int | None, cap: int | None) -> int | None:
    """A value of at most the cap, yet never less than what the configuration asks for."""
    return value if value is None or cap is None else max(min(value, cap), base or 0)


def shared_request(requests: Sequence[Request], *, max_minutes: int | None) -> Request:
    """What units that run one after the other ask for together.

    The largest memory, and the sum of their times: at most `max_minutes`, but
    never less than one of them needs.
    """
    sizes = [r.mem_mb for r in requests if r.mem_mb is not None]
    times = [r.minutes for r in requests if r.minutes is not None]
    return replace(
        requests[0],
        mem_mb=max(sizes, default=None),
        minutes=capped(sum(times), max(times), max_minutes) if times else None,
    )
