"""What a job, and the next attempt of one, asks for."""

from dataclasses import replace

from bidsloom.base.errors import FailureClass
from bidsloom.config import read_study
from bidsloom.config.study import RetryPolicy, Study
from bidsloom.records.attempts import Attempt
from bidsloom.scheduling.job_scripts import sbatch_options
from bidsloom.scheduling.requests import (
    ProfileDefaults,
    Request,
    base_request,
    check_request,
    next_request,
    proof_request,
    shared_request,
)
from helpers.old_config import OLD

POLICY = RetryPolicy(memory_factor=2, time_factor=1.5, max_mem_mb=10000, max_minutes=None)
BASE = Request(2, mem_mb=4000, minutes=60)


def failed(why: str, **requested: int) -> Attempt:
    return Attempt(
        unit="sub-1", failure_class=FailureClass(why), requested=replace(BASE, **requested)
    )


def changed_study(tmp_path, **hpc) -> Study:
    return read_study({**OLD, "hpc": hpc}, base=tmp_path)


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


def test_the_profile_answers_where_the_study_does_not(tmp_path):
    """Memory and time come from the study first; nobody's word is no request."""
    profile = ProfileDefaults(mem_mb=3000, minutes=20)
    study = changed_study(tmp_path, mem="5G")
    assert Request(1, 5120, 20) == base_request(study, profile)
    assert Request(1, 5120, None) == base_request(study, ProfileDefaults())


def test_a_check_asks_for_little(tmp_path):
    """Never for more than a unit, nor for more than what a check takes."""
    study = changed_study(tmp_path, mem="64G")
    assert Request(mem_mb=2000, minutes=30) == check_request(study, ProfileDefaults(minutes=600))
    assert Request(mem_mb=2000, minutes=5) == check_request(study, ProfileDefaults(minutes=5))


def test_a_proof_takes_the_time_of_its_units(tmp_path):
    """One after the other: the memory of one, the time of all."""
    study = replace(changed_study(tmp_path), prove_units=3)
    request = proof_request(study, ProfileDefaults(mem_mb=3000, minutes=20))
    assert (3000, 60) == (request.mem_mb, request.minutes)


def test_job_scripts_name_what_is_asked_for(tmp_path):
    """The study's account comes before the profile's; SLURM gets megabytes and minutes."""
    study = changed_study(tmp_path, mem="5G", account="mine")
    profile = ProfileDefaults(minutes=20, partition="compute", account="lab")
    options = sbatch_options(study, profile)
    expected = {"mem": "5120M", "time": 20, "partition": "compute", "account": "mine"}
    assert expected == {name: options[name] for name in expected}
