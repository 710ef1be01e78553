"""What jobs should ask for, and what a study will take: known answers and promises."""

import heapq
import itertools
import math
import random

import pytest
from bidsloom.config.request import Request
from bidsloom.config.values import parse_memory, parse_time
from bidsloom.records.job_record import JobRecord
from bidsloom.reporting.sizing import (
    MEMORY_STEPS,
    MINUTE_STEPS,
    Range,
    Usage,
    margin,
    memory_text,
    predict_sum,
    propose,
    propose_cpus,
    size_study,
    time_text,
    usage_of,
    wall_time,
)

RECORD = {
    "seconds": {"look": 0.5, "inputs": 2.0, "run": 90.0, "lock_wait": 1.5, "push_branch": 1.0},
    "peak": {"rss_mb": 700.0, "tree_mb": 1000.0, "scratch_mb": 50.0},
    "cpu_seconds": 135.0,
    "output": {"files": 3, "bytes": 5000},
    "requested": {"threads": 4, "mem_mb": 8000, "runtime": 60},
}


def make_usages(*minutes: float, **facts) -> list[Usage]:
    """Usages of units that took some minutes, nearly all of them in the app."""
    return [Usage(seconds=60 * m, run_seconds=60 * m, **facts) for m in minutes]


def test_usage_of_a_record():
    usage = usage_of(JobRecord.from_json("sub-1", RECORD))
    assert (95.0, 90.0, 2.0, 1.5, 1.0) == (
        usage.seconds,
        usage.run_seconds,
        usage.fetch_seconds,
        usage.lock_seconds,
        usage.push_seconds,
    )
    assert (1000.0, True, 1.5) == (usage.memory_mb, usage.sampled, usage.busy_cpus)
    assert (4, 8000, 60) == (usage.requested.cpus, usage.requested.mem_mb, usage.requested.minutes)


def test_record_of_an_earlier_version_is_read():
    """It knows the largest process alone, and that is told."""
    usage = usage_of(JobRecord(unit="sub-1", seconds={"run": 9.0}, peak={"rss_mb": 700.0}))
    assert (700.0, False, None) == (usage.memory_mb, usage.sampled, usage.busy_cpus)


@pytest.mark.parametrize("record", [{"restored": True}, {"seconds": {"look": 0.1}}])
def test_result_that_was_found_says_nothing_of_its_cost(record):
    assert usage_of(JobRecord.from_json("sub-1", record)) is None


def test_few_units_get_a_wider_margin():
    assert [1.2, 0.7, 0.4, 0.21] == [round(margin(n), 9) for n in (1, 2, 5, 100)]


def test_known_proposals():
    """3000 MB of three: 53 % more, 400 MB for Snakemake, in steps of 500 MB."""
    memory = propose([1000, 3000, 2000], own=400, steps=MEMORY_STEPS)
    assert (3000, 5000) == (memory.largest, memory.value)
    # 50 minutes of two: 70 % more, 2 minutes, in steps of 15.
    assert 90 == propose([50, 10], own=2, steps=MINUTE_STEPS).value
    # One unit alone: 120 % more.
    assert 2500 == propose([1000], steps=MEMORY_STEPS).value
    assert propose([], steps=MEMORY_STEPS) is None


def test_proposals_grow_with_what_was_seen_and_always_hold_it():
    draw = random.Random(1)
    for _ in range(300):
        values = [draw.lognormvariate(7, 1) for _ in range(draw.randint(1, 40))]
        proposal = propose(values, own=400, steps=MEMORY_STEPS)
        assert proposal.value >= max(values) * 1.2 + 400
        more = propose([*values[:-1], values[-1] * 2], own=400, steps=MEMORY_STEPS)
        assert more.value >= proposal.value


def test_units_that_ran_out_of_memory_count_as_what_they_had():
    proposal = propose([900, 1000], at_least=[4000], steps=MEMORY_STEPS)
    assert (4000, 7000) == (proposal.largest, proposal.value)


def test_enough_for_most_units_is_told_from_twenty_on():
    """One unit in twenty may need far more; the next attempt gives it that."""
    values = [1000.0] * 19 + [30_000.0]
    assert propose(values[1:], steps=MEMORY_STEPS).usual is None
    proposal = propose(values, steps=MEMORY_STEPS)
    assert (1300, 37 * 1024) == (proposal.usual, proposal.value)


def test_cpus_are_never_more_than_what_was_asked_for():
    assert 2 == propose_cpus([0.5, 1.9], asked=8).value
    assert 8 == propose_cpus([8.4], asked=8).value
    assert 1 == propose_cpus([0.01, 1.05], asked=4).value
    assert propose_cpus([], asked=4) is None


def test_known_prediction():
    """Mean 2, s 1, t 4.303: two further units are 4 +- 4.303 x sqrt(4/3 + 2)."""
    found = predict_sum([1, 2, 3], units=5, seen=True)
    assert 10 == found.value
    assert 6 == found.low, "what was seen is spent already"
    assert found.high == pytest.approx(10 + 4.303 * math.sqrt(4 / 3 + 2))
    assert Range(6, 6, 6) == predict_sum([1, 2, 3], units=3, seen=True)
    assert Range(20) == predict_sum([2], units=10, seen=True)
    assert Range(0, 0, 0) == predict_sum([1, 2, 3], units=0, seen=False)


def test_range_holds_the_truth_as_often_as_it_says():
    draw = random.Random(2)
    hits = 0
    for _ in range(2000):
        values = [draw.gauss(100, 15) for _ in range(25)]
        found = predict_sum(values[:5], units=25, seen=True)
        hits += found.low <= sum(values) <= found.high
    assert 0.935 < hits / 2000 < 0.965


def test_wall_time_bounds_any_order_of_jobs():
    draw = random.Random(3)
    for _ in range(300):
        hours = [draw.expovariate(1) for _ in range(draw.randint(1, 60))]
        jobs = draw.randint(1, 20)
        ends = [0.0] * jobs
        for job in hours:
            heapq.heapreplace(ends, ends[0] + job)
        bound = wall_time(sum(hours), max(hours), len(hours), jobs)
        assert max(ends) <= bound + 1e-9
    assert 10 == wall_time(10, 2, 5, 1)
    assert 2 == wall_time(10, 2, 5, 100)
    assert 0 == wall_time(0, 2, 0, 100)


def test_whole_study_and_what_is_left():
    usages = make_usages(60, 60, 60, 60, requested=Request(2), output_bytes=10)
    sizing = size_study(usages, units=100, left=96, jobs=8, price=0.5)
    assert (4, 100, 96) == (sizing.sample, sizing.whole.units, sizing.left.units)
    assert (200, 192) == (sizing.whole.core_hours.value, sizing.left.core_hours.value)
    assert (100, 96) == (sizing.whole.cost.value, sizing.left.cost.value)
    assert 1000 == sizing.whole.output_bytes.value
    assert 12 + 7 / 8 == sizing.left.hours
    assert (None, None) == (sizing.memory, sizing.cpus)


def test_without_a_sample_nothing_is_said():
    assert size_study([], units=100, left=100, jobs=8) is None


def test_every_proposal_is_valid_in_a_config():
    for mb in itertools.chain(range(100, 2000, 100), (2500, 5120, 38912)):
        assert mb == parse_memory(memory_text(mb))
    for minutes in (5, 90, 1440, 1500, 12_000):
        assert minutes == parse_time(time_text(minutes))
