"""What a job, and the next attempt of one, asks for."""

from dataclasses import replace

from bidsloom.base.errors import FailureClass
from bidsloom.config.study import RetryPolicy
from bidsloom.records.attempts import Attempt
from bidsloom.scheduling.requests import Request, next_request, shared_request

POLICY = RetryPolicy(memory_factor=2, time_factor=1.5, max_mem_mb=10000, max_minutes=None)
BASE = Request(2, mem_mb=4000, minutes=60)


def failed(why: str, **requested: int) -> Attempt:
    return Attempt(
        unit="sub-1", failure_class=FailureClass(why), requested=replace(BASE, **requested)
    )


def test_each_cause_raises_its_own_resource():
    assert Request(2, 8000, 60) == next_request(BASE, [failed("out_of_memory")], POLICY)
    assert Request(2, 4000, 90) == next_request(BASE, [failed("timeout")], POLICY)
    for why in ("app_error", "node_failure", "cancelled", "store_unavailable"):
        assert next_request(BASE, [failed(why)], POLICY) == BASE


def test_raises_add_up_and_stop_at_the_cap():
    """Twice out of memory is four times as much, yet no more than the cap."""
    twice = [failed("out_of_memory"), failed("out_of_memory", mem_mb=8000)]
    assert next_request(BASE, twice, POLICY).mem_mb == 10000
    both = [failed("out_of_memory"), failed("timeout", mem_mb=8000)]
    assert Request(2, 8000, 90) == next_request(BASE, both, POLICY)


def test_a_raised_configuration_stands():
    """What failed at less than is asked for now tells nothing; a cap lowers no wish."""
    assert next_request(Request(2, 16000, 60), [failed("out_of_memory")], POLICY).mem_mb == 16000


def test_nothing_asked_for_is_nothing_raised():
    assert Request(2) == next_request(Request(2), [failed("timeout")], POLICY)


def test_largest_memory_and_all_the_time():
    """The sum of times ends at the cap, yet never below one unit's need."""
    requests = [Request(1, 1000, 10), Request(1, 4000, 30), Request(1, 1000, 10)]
    assert Request(1, 4000, 50) == shared_request(requests, max_minutes=None)
    assert Request(1, 4000, 40) == shared_request(requests, max_minutes=40)
    assert Request(1, 4000, 30) == shared_request(requests, max_minutes=20)
    assert Request(1) == shared_request([Request(1)] * 2, max_minutes=5)
