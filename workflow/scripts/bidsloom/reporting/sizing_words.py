"""What the sizing of a study says, in words: for its report."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from .sizing import MANY, Estimate, Proposal, Range, Sizing, Usage, memory_text, time_text

# Where the inputs of the sample differ from the study's by more than this, it is said.
TYPICAL = 0.25


def describe_proposals(
    sizing: Sizing,
    usages: Sequence[Usage],
    *,
    short_mb: Sequence[int],
    short_minutes: Sequence[int],
) -> list[dict]:
    """A row for each key of `hpc` that can be proposed."""
    rows = []
    if sizing.memory:
        asked = usual([u.requested.mem_mb for u in usages])
        seen = f"{sizing.memory.largest:,.0f} MB"
        rows.append(proposal_row("mem", sizing.memory, asked, memory_text, seen, short_mb))
    asked, seen = (
        usual([u.requested.minutes for u in usages]),
        duration(sizing.minutes.largest / 60),
    )
    rows.append(proposal_row("time", sizing.minutes, asked, time_text, seen, short_minutes))
    if sizing.cpus:
        asked, seen = usual([u.requested.cpus for u in usages]), f"{sizing.cpus.largest:.1f} busy"
        rows.append(proposal_row("cpus", sizing.cpus, asked, str, seen, ()))
    return rows


def proposal_row(
    key: str,
    proposal: Proposal,
    asked: int | None,
    words: Callable[[int], str],
    seen: str,
    short: Sequence[int],
) -> dict:
    """A key of `hpc`: what was asked for, what was seen, and what is proposed."""
    return {
        "key": key,
        "asked": words(asked) if asked else "not set",
        "seen": f"more than {seen}" if proposal.largest in short else seen,
        "margin": f"{100 * proposal.margin:.0f} %" if proposal.margin else "none",
        "value": words(proposal.value),
        "usual": words(proposal.usual) if proposal.usual else "",
    }


def describe_estimates(sizing: Sizing) -> list[dict]:
    """A row for each estimate: for the whole study, and for what is left, each with its range."""
    both = (sizing.whole, sizing.left)
    rows = [
        ("Core hours reserved", [with_range(e.core_hours, number) for e in both]),
        (f"Wall time, {sizing.whole.jobs:,} jobs at a time", [upper(e) for e in both]),
    ]
    if costs := [with_range(e.cost, number) for e in both if e.cost]:
        rows.append(("Cost", costs))
    if sizes := [with_range(e.output_bytes, size) for e in both if e.output_bytes]:
        rows.append(("Output store", sizes))
    if sizing.scratch:
        rows.append(("Scratch space of one job", [(size(sizing.scratch.value * 2**20), "")] * 2))
    return [{"what": what, "whole": whole, "left": left} for what, (whole, left) in rows]


def describe_limits(
    sizing: Sizing,
    usages: Sequence[Usage],
    *,
    short_mb: Sequence[int],
    short_minutes: Sequence[int],
    beyond: int,
    sample_bytes: float,
    study_bytes: float,
) -> list[str]:
    """What has to be known before any of it is believed."""
    n = sizing.sample
    said = []
    if n < 10:
        said.append(
            f"{n} unit{'s are' if n > 1 else ' is'} a small sample: take this for a first guess."
        )
    said.append(
        f"Of units like these, one in {n + 1:,} needs more than the largest seen, which the margin "
        "is for; a job that ran out of memory or time is tried again with more (hpc.retry)."
    )
    if study_bytes and abs(sample_bytes / study_bytes - 1) > TYPICAL:
        said.append(
            f"The units seen hold {size(sample_bytes)} of input on average, those of the whole "
            f"study {size(study_bytes)}: expect {'less' if sample_bytes > study_bytes else 'more'} "
            "than is said here."
        )
    if beyond:
        said.append(
            f"The {beyond:,} unit(s) beyond subjects.limit are taken to be like those seen; what "
            "they hold is not known here."
        )
    if short_mb:
        said.append(
            f"{len(short_mb)} unit(s) ran out of memory and have no result; how much they need is "
            f"not known, only that it is more than {memory_text(max(short_mb))}."
        )
    if short_minutes:
        said.append(
            f"{len(short_minutes)} unit(s) ran out of time and have no result; they need more than "
            f"{time_text(max(short_minutes))}."
        )
    if not sizing.memory:
        said.append(
            "Memory and CPU time are not known: docker and podman run the app where its job "
            "cannot see it."
        )
    elif single := sum(1 for u in usages if u.memory_mb is not None and not u.sampled):
        said.append(
            f"Of {single} unit(s) only the largest single process is known, less than what an app "
            "of several processes needs."
        )
    if sizing.cpus and sizing.cpus.value < max(u.requested.cpus or 1 for u in usages):
        said.append(
            "Fewer CPUs make stretches of parallel work longer: look at the time again after "
            "changing them. Core hours are those at the CPUs asked for now."
        )
    return said


def describe_method(sizing: Sizing) -> list[str]:
    """How the numbers were made."""
    n = sizing.sample
    return [
        f"Memory and time: the largest of {n:,}, plus a margin of a fifth and one part in {n:,}, "
        "plus what Snakemake takes in a job (400 MB, 2 minutes), rounded up. What is enough for "
        f"95 % is told from {MANY} units on; the others would be tried again with more.",
        "Memory is that of all processes of a job together, looked at every second or more "
        "seldom, pages they share counted once; peaks between two looks, and files in a RAM disk, "
        "are not seen.",
        "CPUs: CPU time of the app by its wall time in the busiest unit, rounded up.",
        "Scratch: the largest that lay there when a result was pushed, with the same margin; what "
        "the app removed before is not seen.",
        "Estimates: the mean of the units seen, for each of the others; below it, from three "
        "units on, the 95 % prediction interval of the sum (Student's t). "
        "Wall time is an upper bound for jobs that start whenever another ends "
        "(work by jobs, plus the longest one); waiting in the queue and failed attempts are not "
        "in it.",
    ]


def usual(values: Sequence[int | None]) -> int | None:
    """The most common value, of those that are known."""
    known = [value for value in values if value is not None]
    return statistics.mode(known) if known else None


def with_range(estimate: Range, words: Callable[[float], str]) -> tuple[str, str]:
    """An estimate, and its range."""
    if estimate.low is None or estimate.high is None:
        return words(estimate.value), ""
    low, high = words(estimate.low), words(estimate.high)
    return words(estimate.value), f"{low} to {high}" if low != high else ""


def upper(estimate: Estimate) -> tuple[str, str]:
    """The wall time of an estimate, which is a bound."""
    return (f"at most {duration(estimate.hours)}" if estimate.units else "none"), ""


def number(value: float) -> str:
    """A number with as many digits as say something."""
    if 0 < value < 0.01:
        return "less than 0.01"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def duration(hours: float) -> str:
    """A time with as many digits as say something."""
    seconds = hours * 3600
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if hours < 48:
        return f"{hours:.1f} h"
    return f"{hours / 24:.1f} days"


def size(value: float) -> str:
    """Bytes with a unit."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000:
            return (
                f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
            )
        value /= 1000
    return f"{value:,.1f} PB"
