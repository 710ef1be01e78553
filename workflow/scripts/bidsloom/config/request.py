"""What one job asks for, or was granted: CPUs, memory and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Field -> its name in Snakemake, and thus in the files of `results/<study>/`.
NAMES = {"cpus": "threads", "mem_mb": "mem_mb", "minutes": "runtime"}


@dataclass(frozen=True)
class Request:
    """CPUs, memory in MB and time in minutes of one job; None: not set, or not known."""

    cpus: int | None = None
    mem_mb: int | None = None
    minutes: int | None = None

    @classmethod
    def from_json(cls, value: Any) -> Request:
        """A request from JSON, by Snakemake's names; what is missing is not known."""
        found = value if isinstance(value, Mapping) else {}
        return cls(**{field: found.get(name) for field, name in NAMES.items()})

    @classmethod
    def of_job(cls, threads: int | None, resources: Any) -> Request:
        """What Snakemake gives a job with these threads and resources."""
        return cls(threads, resources.get("mem_mb"), resources.get("runtime"))

    def to_json(self) -> dict[str, int]:
        """What is known of it, by Snakemake's names."""
        values = ((name, getattr(self, field)) for field, name in NAMES.items())
        return {name: value for name, value in values if value is not None}


# Of a job of which nobody knows what it asked for.
NOTHING_KNOWN = Request()
