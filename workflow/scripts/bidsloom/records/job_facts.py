"""What is known of a job, whether it ended with a result or failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ..config.request import NOTHING_KNOWN, Request
from .json_fields import known_fields, told_fields


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """What is known of a job; the default of a field means: not known.

    Attributes
    ----------
    branch, fingerprint : str
        The job branch, and what the result is made from, as trailers hold it.
    read : Mapping[str, str]
        The commits of other studies' results that the job reads, by the paths
        at which they are registered.
    start, end : str
        Times in UTC, ISO 8601.
    attempt : int
        The number of the attempt, from 1 on.
    requested : Request
        What the job was granted.
    seconds : Mapping[str, float]
        Wall time of each step.
    peak : Mapping[str, float]
        The most memory (`rss_mb` of the largest process, `tree_mb` of all
        together) and scratch space (`scratch_mb`) in use.
    cpu_seconds : float
        CPU time of the app.
    output : Mapping[str, int]
        Number (`files`) and size (`bytes`) of the files that the app wrote.

    """

    unit: str
    branch: str = ""
    fingerprint: str = ""
    input_commit: str = ""
    read: Mapping[str, str] = field(default_factory=dict)
    container_key: str = ""
    start: str = ""
    end: str = ""
    host: str = ""
    scheduler_job_id: str | None = None
    attempt: int | None = None
    requested: Request = NOTHING_KNOWN
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak: Mapping[str, float] = field(default_factory=dict)
    cpu_seconds: float | None = None
    output: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, unit: str, value: Mapping[str, Any]) -> Self:
        """The facts on a unit that a file holds, of this version or an earlier one."""
        known = {"unit": unit, **known_fields(cls, value)}
        if "requested" in known:
            known["requested"] = Request.from_json(known["requested"])
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """What is known, for a file."""
        told = told_fields(self)
        if "requested" in told:
            told["requested"] = self.requested.to_json()
        return told
