"""What a job asks for: CPUs, memory and time, raised by what earlier attempts failed for.

The rules' resources and the job scripts both come from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..base.errors import FailureClass
from ..config import Study
from ..config.request import Request
from ..config.study import RetryPolicy
from ..records.attempts import Attempt, read_attempts
from ..units.unit import GROUP
from .batches import list_left


@dataclass(frozen=True)
class ProfileDefaults:
    """What the profile asks for where the study does not say: MB and minutes; None for nothing."""

    mem_mb: int | None = None
    minutes: int | None = None
    partition: str | None = None
    account: str | None = None


def base_request(study: Study, defaults: ProfileDefaults, unit: str = "") -> Request:
    """What a unit's first job asks for: the study's request, else the profile's."""
    asked = study.resources.group if unit == GROUP else study.resources.job
    return Request(
        cpus=asked.cpus,
        mem_mb=asked.mem_mb or defaults.mem_mb,
        minutes=asked.minutes or defaults.minutes,
    )


def unit_request(study: Study, defaults: ProfileDefaults, unit: str) -> Request:
    """What a unit's next job asks for, raised by what its attempts failed for."""
    attempts = read_attempts(study, unit)
    return next_request(base_request(study, defaults, unit), attempts, study.resources.retry)


def batch_request(study: Study, defaults: ProfileDefaults, batch: str) -> Request:
    """What a job asks for that processes the units of a batch that are left."""
    requests = requests_left(study, defaults, batch)
    return shared_request(requests, max_minutes=study.resources.retry.max_minutes)


def array_request(study: Study, defaults: ProfileDefaults, batch: str) -> Request:
    """What each job asks for of an array for the units of a batch that are left: the most."""
    requests = requests_left(study, defaults, batch)
    times = [r.minutes for r in requests if r.minutes is not None]
    return replace(shared_request(requests, max_minutes=None), minutes=max(times, default=None))


def requests_left(study: Study, defaults: ProfileDefaults, batch: str) -> list[Request]:
    """What each unit of a batch that is left asks for."""
    # Without a unit (its file is gone) a batch asks for what a new unit would.
    left = [unit.name for unit in list_left(study, batch)] or [batch]
    return [unit_request(study, defaults, name) for name in left]


def proof_request(study: Study, defaults: ProfileDefaults) -> Request:
    """What a job asks for that computes some units again, one after the other."""
    requests = [unit_request(study, defaults, "prove")] * study.prove_units
    return shared_request(requests, max_minutes=study.resources.retry.max_minutes)


def check_request(study: Study, defaults: ProfileDefaults) -> Request:
    """What a check on a node asks for: little, so that it does not wait for long."""
    base = base_request(study, defaults)
    return Request(mem_mb=min(base.mem_mb or 2000, 2000), minutes=min(base.minutes or 30, 30))


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
