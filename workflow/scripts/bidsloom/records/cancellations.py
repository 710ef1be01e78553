"""Notes of units whose jobs somebody cancelled on purpose.

A note holds until Snakemake is started again: until then no job processes the unit.
"""

from __future__ import annotations

import getpass
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from ..base.errors import FailureClass, WorkflowFailure
from ..base.files import read_json, write_json
from ..config import Study
from .json_fields import known_fields


@dataclass(frozen=True)
class Cancellation:
    """Who cancelled a unit, and when."""

    by: str = "somebody"
    at: str = ""

    def as_failure(self, unit: str) -> WorkflowFailure:
        """The end of an attempt at the unit."""
        return WorkflowFailure(
            f"{unit} was cancelled by {self.by} (status.py --cancel).",
            hint="start snakemake again to process it.",
            failure_class=FailureClass.CANCELLED,
        )


def note_cancellation(study: Study, unit: str) -> None:
    """Write that this user cancels the jobs of a unit now."""
    at = datetime.now().isoformat(timespec="seconds")
    write_json(study.files.cancellation(unit), asdict(Cancellation(getpass.getuser(), at)))


def read_cancellation(study: Study, unit: str) -> Cancellation | None:
    """Who cancelled a unit, and when; None where nobody did."""
    value = read_json(study.files.cancellation(unit))
    if not isinstance(value, Mapping):
        return None
    return Cancellation(**known_fields(Cancellation, value))


def list_cancelled(study: Study) -> set[str]:
    """Units that were cancelled."""
    return {path.stem for path in study.files.cancellations.glob("*.json")}


def remove_cancellations(study: Study) -> None:
    """Remove all notes, so that a new run processes what was cancelled before."""
    shutil.rmtree(study.files.cancellations, ignore_errors=True)
