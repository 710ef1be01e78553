"""What a job asks for: CPUs, memory and time, raised by what earlier attempts failed for.

The rules' resources and the job scripts both come from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..base.errors import FailureClass
from ..base.files import read_json
from ..config import Study
from ..config.study import RetryPolicy
from ..units.unit import GROUP
from .batches import list_left


@dataclass(frozen=True)
class Request:
    """Memory in MB and time in minutes of one job; None where nobody said."""

    mem_mb: int | None
    runtime: int | None


@dataclass(frozen=True)
class ProfileDefaults:
    """What the profile asks for where the study does not say: MB and minutes; None for nothing."""

    mem_mb: int | None = None
    runtime: int | None = None
    partition: str | None = None
    account: str | None = None


def base_request(study: Study, defaults: ProfileDefaults, unit: str = "") -> Request:
    """Memory and time of a unit's first job: the study's, else the profile's."""
    asked = study.resources.group if unit == GROUP else study.resources
    return Request(
        mem_mb=asked.mem_mb or defaults.mem_mb,
        runtime=asked.runtime or defaults.runtime,
    )


def unit_request(study: Study, defaults: ProfileDefaults, unit: str) -> Request:
    """Memory and time of a unit's next job, raised by what its attempts failed for."""
    attempts = read_json(study.results / "attempts" / f"{unit}.json") or []
    return next_request(base_request(study, defaults, unit), attempts, study.resources.retry)


def batch_request(study: Study, defaults: ProfileDefaults, batch: str) -> Request:
    """Memory and time for the units of a batch that are left."""
    # Without a unit (its file is gone) a batch asks for what a new unit would.
    left = [unit.name for unit in list_left(study, batch)] or [batch]
    requests = [unit_request(study, defaults, name) for name in left]
    return shared_request(requests, max_runtime=study.resources.retry.max_runtime)


def proof_request(study: Study, defaults: ProfileDefaults) -> Request:
    """Memory and time to compute some units again, one after the other."""
    requests = [unit_request(study, defaults, "prove")] * study.prove_units
    return shared_request(requests, max_runtime=study.resources.retry.max_runtime)


def check_request(study: Study, defaults: ProfileDefaults) -> Request:
    """Memory and time for a check on a node: little, so that it does not wait for long."""
    base = base_request(study, defaults)
    return Request(mem_mb=min(base.mem_mb or 2000, 2000), runtime=min(base.runtime or 30, 30))


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
