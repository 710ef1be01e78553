"""Failed attempts at a unit: `results/<study>/attempts/<unit>.json`, the last one last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from ..base.errors import FailureClass, WorkflowFailure
from ..base.files import read_json, write_json
from ..config import Study
from ..config.producer import Producer
from .job_facts import JobFacts


@dataclass(frozen=True, kw_only=True)
class Attempt(JobFacts):
    """An attempt at a unit that ended without a result.

    `log` holds the last lines of its log, `scheduler_state` what SLURM called
    the job's end.  `on_purpose` says that somebody cancelled the unit.
    """

    failure_class: FailureClass | None = None
    message: str = ""
    hint: str = ""
    exit_code: int | None = None
    log: tuple[str, ...] = ()
    scheduler_state: str = ""
    on_purpose: bool = False

    @classmethod
    def of(cls, unit: str, failure: WorkflowFailure, **facts: Any) -> Self:
        """The attempt at a unit that ended now, with a failure; `facts` are further fields."""
        return cls(unit=unit).ended(failure, **facts)

    def ended(self, failure: WorkflowFailure, **facts: Any) -> Self:
        """The attempt with the failure that ended it, now unless `facts` say when."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        told = {
            "end": now,
            "failure_class": failure.failure_class,
            "message": failure.message,
            "hint": failure.hint,
            "exit_code": failure.exit_code,
        }
        return replace(self, **{**told, **facts})

    @classmethod
    def from_json(cls, unit: str, value: Mapping[str, Any]) -> Self:
        """An attempt that a file holds, of this version or an earlier one."""
        told = dict(value)
        told["failure_class"] = known_class(told.get("failure_class"))
        told["log"] = tuple(told.get("log") or ())
        return super().from_json(unit, told)

    @property
    def first_line(self) -> str:
        """What the message says before it quotes the log."""
        return self.message.partition("\n")[0].removesuffix(" Its last lines:")


def known_class(name: Any) -> FailureClass | None:
    """The failure class of a name, or None where this version does not know it."""
    return FailureClass(name) if name in {each.value for each in FailureClass} else None


def read_attempts(study: Study | Producer, unit: str) -> list[Attempt]:
    """Failed attempts at a unit, the last one last."""
    found = read_json(study.files.attempts(unit)) or []
    return [Attempt.from_json(unit, value) for value in found if isinstance(value, Mapping)]


def add_attempt(study: Study, attempt: Attempt) -> None:
    """Append a failed attempt to the unit's list."""
    write_attempts(study, attempt.unit, [*read_attempts(study, attempt.unit), attempt])


def write_attempts(study: Study, unit: str, attempts: Iterable[Attempt]) -> None:
    """Replace the list of failed attempts at a unit."""
    write_json(study.files.attempts(unit), [attempt.to_json() for attempt in attempts])
