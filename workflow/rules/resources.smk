"""
What the rules ask for: CPUs, memory, time and SLURM's options.

A study's wishes come first, then the profile's `default-resources`; attempts
that failed for memory or time raise the next one's.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from bidsloom.config import Study
from bidsloom.config.request import Request
from bidsloom.scheduling.job_scripts import sbatch_options
from bidsloom.config.request import Request
from bidsloom.scheduling.requests import (
    ProfileDefaults,
    array_request,
    batch_request,
    check_request,
    proof_request,
    unit_request,
)
from bidsloom.scheduling.slurm import slurm_extra


def profile_default(name: str) -> str | int | None:
    """A value among the profile's `default-resources`, or None."""
    given = workflow.resource_settings.default_resources
    for word in given.args if given else ():
        key, _, value = word.partition("=")
        if key == name:
            return int(value) if value.isdigit() else value.strip("'\"")
    return None


PROFILE = ProfileDefaults(
    mem_mb=profile_default("mem_mb"),
    minutes=profile_default("runtime"),
    partition=profile_default("slurm_partition"),
    account=profile_default("slurm_account"),
)


def asked_partition(study: Study) -> str | None:
    """The partition that jobs ask for, if any."""
    return study.resources.partition or PROFILE.partition


@cache
def request_for_batch(batch: str, attempt: int) -> Request:
    """Memory and time for what is left of a batch at an attempt of this run."""
    return batch_request(STUDY, PROFILE, batch)


@cache
def request_for_array(batch: str, attempt: int) -> Request:
    """What the job of each unit asks for that is left of a batch, at an attempt of this run."""
    return array_request(STUDY, PROFILE, batch)


def job_resources(study: Study, request: Callable[[Any, int], Request]) -> dict:
    """What a study asks for each of its jobs; the rest is the profile's.

    `request` returns it for a job's wildcards and the number of its attempt.
    """
    asked = study.resources
    wanted = {
        "slurm_partition": asked.partition,
        "slurm_account": asked.account,
        "qos": asked.qos,
        "gpu": asked.gpus,
        "constraint": asked.constraint,
        "slurm_extra": slurm_extra(asked.sbatch) or None,
    }
    if asked.job.mem_mb or PROFILE.mem_mb:
        wanted["mem_mb"] = lambda wildcards, attempt: request(wildcards, attempt).mem_mb
    if asked.job.minutes or PROFILE.minutes:
        wanted["runtime"] = lambda wildcards, attempt: request(wildcards, attempt).minutes
    return {name: value for name, value in wanted.items() if value is not None}


def check_resources(study: Study) -> dict:
    """What a check on a node asks for: where jobs go, and little of all else."""
    return job_resources(study, lambda wildcards, attempt: check_request(study, PROFILE))


def lock_resources(study: Study) -> dict:
    """What the check of the lock asks for: two nodes, a process on each, and no GPU."""
    asked = check_resources(study) | {"nodes": 2, "tasks": 2, "mpi": "srun"}
    return {name: value for name, value in asked.items() if name != "gpu"}
