"""What jobs should ask for and what a study will need, from the units that are done.

Pure arithmetic.  Memory is in MB (2^20 bytes, as SLURM counts); the unit of a
time is in its name.  No model is fitted: the units that are done are a sample
of all, which is valid where they were chosen without regard to their size.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..config.request import NOTHING_KNOWN, Request
from ..records.job_facts import JobFacts

# Snakemake's own processes in a SLURM job, and its two starts there.
SNAKEMAKE_MB = 400
START_MINUTES = 2
# Where a value is below the first number, it is rounded up to the second's multiples.
MEMORY_STEPS = ((2_000, 100), (8_000, 500), (math.inf, 1024))
MINUTE_STEPS = ((30, 5), (120, 15), (600, 30), (math.inf, 60))
SCRATCH_STEPS = ((1_000, 100), (math.inf, 1024))
# With at least this many units, the report also says what is enough for 95 % of them.
MANY = 20
# Student's t at 97.5 %, by degrees of freedom; between two of them, the safer one.
T_QUANTILES = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 8: 2.306}
T_QUANTILES |= {10: 2.228, 15: 2.131, 20: 2.086, 30: 2.042, 60: 2.0, 200: 1.972}


@dataclass(frozen=True)
class Usage:
    """What one unit used, and what its job had asked for; None: not known.

    Attributes
    ----------
    seconds, fetch_seconds, run_seconds, lock_seconds, push_seconds : float
        Wall time of the job's own work, and in it of fetching the input, of the
        app, of waiting for the lock, and of the push with its waits.
    cpu_seconds : float
        CPU time of the app and of all it started.
    memory_mb : float
        Peak memory: all processes together where they were `sampled`, at
        least that of the largest one.
    scratch_mb : float
        Space in use on the scratch disk when the result was pushed.
    output_bytes, output_files : int
        The unit's results.
    requested : Request
        What was asked for.

    """

    seconds: float
    run_seconds: float
    fetch_seconds: float = 0.0
    lock_seconds: float = 0.0
    push_seconds: float = 0.0
    cpu_seconds: float | None = None
    memory_mb: float | None = None
    sampled: bool = False
    scratch_mb: float | None = None
    output_bytes: int | None = None
    output_files: int | None = None
    requested: Request = NOTHING_KNOWN

    @property
    def busy_cpus(self) -> float | None:
        """CPUs that the app kept busy on average."""
        if self.cpu_seconds is None or self.run_seconds <= 0:
            return None
        return self.cpu_seconds / self.run_seconds

    def to_json(self) -> dict[str, Any]:
        """The usage for programs, what was asked for beside what was used."""
        told = asdict(self)
        return told | told.pop("requested")


@dataclass(frozen=True)
class Proposal:
    """What to ask for: the `largest` seen, a `margin` (0.5: half as much again), rounded up.

    `usual` is what would be enough for 95 % of the units, where there are
    enough of them to say so; the others would be tried again with more.
    """

    largest: float
    margin: float
    value: int
    usual: int | None = None


@dataclass(frozen=True)
class Range:
    """An estimate with its 95 % range, which needs three units."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Estimate:
    """What a number of units takes; `hours` is wall time with all `jobs` at work."""

    units: int
    jobs: int
    core_hours: Range
    hours: float
    output_bytes: Range | None
    cost: Range | None


@dataclass(frozen=True)
class Sizing:
    """Proposals from a `sample` of units; estimates for the whole study and for what is left."""

    sample: int
    memory: Proposal | None
    minutes: Proposal
    cpus: Proposal | None
    scratch: Proposal | None
    whole: Estimate
    left: Estimate


def usage_of(record: JobFacts) -> Usage | None:
    """What a unit's job used; None where the result was found, not computed."""
    seconds, peak, output = record.seconds, record.peak, record.output
    if "run" not in seconds:
        return None
    peaks = [peak[name] for name in ("rss_mb", "tree_mb") if peak.get(name)]
    return Usage(
        seconds=round(sum(seconds.values()), 1),
        run_seconds=seconds["run"],
        fetch_seconds=seconds.get("inputs", 0.0),
        lock_seconds=seconds.get("lock_wait", 0.0),
        push_seconds=sum(s for name, s in seconds.items() if name.startswith("push")),
        cpu_seconds=record.cpu_seconds,
        memory_mb=max(peaks, default=None),
        sampled=bool(peak.get("tree_mb")),
        scratch_mb=peak.get("scratch_mb"),
        output_bytes=output.get("bytes"),
        output_files=output.get("files"),
        requested=record.requested,
    )


def size_study(
    usages: Sequence[Usage],
    *,
    units: int,
    left: int,
    jobs: int,
    price: float | None = None,
    short_mb: Sequence[int] = (),
    short_minutes: Sequence[int] = (),
) -> Sizing | None:
    """The sizing of a study of some `units`, of which some are `left`; None without a sample.

    `short_mb` and `short_minutes` are what units had that ended for want of it
    and have no result: they need more, nobody knows how much.
    """
    if not usages:
        return None
    memory = [u.memory_mb for u in usages if u.memory_mb is not None]
    busy = [u.busy_cpus for u in usages if u.busy_cpus is not None]
    scratch = [u.scratch_mb for u in usages if u.scratch_mb is not None]
    return Sizing(
        sample=len(usages),
        memory=propose(memory, at_least=short_mb, own=SNAKEMAKE_MB, steps=MEMORY_STEPS),
        minutes=propose_from(
            [u.seconds / 60 for u in usages],
            at_least=short_minutes,
            own=START_MINUTES,
            steps=MINUTE_STEPS,
        ),
        cpus=propose_cpus(busy, asked=max(u.requested.cpus or 1 for u in usages)),
        scratch=propose(scratch, steps=SCRATCH_STEPS),
        whole=estimate(usages, units=units, seen=True, jobs=jobs, price=price),
        left=estimate(usages, units=left, seen=False, jobs=jobs, price=price),
    )


def margin(sample: int) -> float:
    """What is added to the largest of some values: a fifth, and one part in their number.

    Of values like these, the next one is larger than the largest of n with
    probability 1 / (n + 1), whatever their distribution; so few get more.
    """
    return 0.2 + 1 / sample


def propose(
    values: Sequence[float],
    *,
    steps: Sequence[tuple[float, int]],
    at_least: Sequence[float] = (),
    own: float = 0,
) -> Proposal | None:
    """A proposal from some values, as `propose_from` makes it; None where there are none."""
    if not values and not at_least:
        return None
    return propose_from(values, steps=steps, at_least=at_least, own=own)


def propose_from(
    values: Sequence[float],
    *,
    steps: Sequence[tuple[float, int]],
    at_least: Sequence[float] = (),
    own: float = 0,
) -> Proposal:
    """The largest value with its margin, and what the job needs itself, rounded up.

    `at_least` are values that were too small.
    """
    ordered = sorted([*values, *at_least])
    more = margin(len(values) or 1)

    def enough(value: float) -> int:
        return round_up(value * (1 + more) + own, steps)

    usual = ordered[math.ceil(0.95 * len(ordered)) - 1] if len(ordered) >= MANY else None
    most = None if usual is None else enough(usual)
    return Proposal(ordered[-1], more, enough(ordered[-1]), most)


def propose_cpus(busy: Sequence[float], *, asked: int) -> Proposal | None:
    """As many CPUs as the busiest app used on average, at most what was asked for.

    Never more: what an app would do with more cannot be seen.  A tenth of a
    CPU is let pass.
    """
    if not busy:
        return None
    return Proposal(max(busy), 0.0, min(asked, max(1, math.ceil(max(busy) - 0.1))))


def round_up(value: float, steps: Sequence[tuple[float, int]]) -> int:
    """A value rounded up, more coarsely the larger it is."""
    step = next(size for below, size in steps if value < below)
    return math.ceil(round(value / step, 6)) * step


def estimate(
    usages: Sequence[Usage], *, units: int, seen: bool, jobs: int, price: float | None
) -> Estimate:
    """What some units take; with `seen`, the sample is among them.

    Core hours are those reserved: CPUs asked for, times wall time.
    """
    reserved = [(u.requested.cpus or 1) * u.seconds / 3600 for u in usages]
    hours = [u.seconds / 3600 for u in usages]
    written = [u.output_bytes for u in usages if u.output_bytes is not None]
    core_hours = predict_sum(reserved, units=units, seen=seen)
    return Estimate(
        units=units,
        jobs=jobs,
        core_hours=core_hours,
        hours=wall_time(predict_sum(hours, units=units, seen=seen).value, max(hours), units, jobs),
        output_bytes=predict_sum(written, units=units, seen=seen) if written else None,
        cost=None if price is None else scaled(core_hours, price),
    )


def predict_sum(values: Sequence[float], *, units: int, seen: bool) -> Range:
    """The sum over some units; with `seen`, the values are those of some of them.

    The values, and for each further unit their mean.  The range is Student's
    prediction interval for the sum of m further values:
    m x mean +- t s sqrt(m^2 / n + m).
    """
    known = sum(values) if seen else 0.0
    further = max(0, units - len(values)) if seen else units
    total = known + further * statistics.fmean(values)
    if len(values) < 3:
        return Range(total)
    n, m = len(values), further
    spread = t_quantile(n - 1) * statistics.stdev(values) * math.sqrt(m * m / n + m)
    return Range(total, max(known, total - spread), total + spread)


def t_quantile(degrees: int) -> float:
    """Student's t at 97.5 %, never too small."""
    return T_QUANTILES[max(d for d in T_QUANTILES if d <= degrees)]


def wall_time(work: float, longest: float, units: int, jobs: int) -> float:
    """Hours that jobs take side by side, at most, once all of them run.

    Graham's bound for jobs that start whenever one ends: work / jobs +
    (1 - 1 / jobs) x longest.
    """
    side_by_side = min(jobs, units)
    if side_by_side == 0:
        return 0.0
    if units <= jobs:
        return longest
    return work / side_by_side + (1 - 1 / side_by_side) * longest


def scaled(range_: Range, factor: float) -> Range:
    """A range times a factor."""
    if range_.low is None or range_.high is None:
        return Range(range_.value * factor)
    return Range(range_.value * factor, range_.low * factor, range_.high * factor)


def memory_text(mb: int) -> str:
    """Memory as `hpc.mem` takes it."""
    return f"{mb // 1024}G" if mb % 1024 == 0 else f"{mb}M"


def time_text(minutes: int) -> str:
    """Minutes as `hpc.time` takes them."""
    days, rest = divmod(minutes, 1440)
    clock = f"{rest // 60:02}:{rest % 60:02}:00"
    return f"{days}-{clock}" if days else clock
