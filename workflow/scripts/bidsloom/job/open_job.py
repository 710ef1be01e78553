"""The job of a unit or of the group, in a study that was prepared."""

from __future__ import annotations

from typing import Any

from ..base.errors import WorkflowFailure
from ..base.runners import node_name, scheduler_job_id
from ..config import Study
from ..config.request import NOTHING_KNOWN, Request
from ..records.attempts import Attempt, add_attempt, read_attempts
from ..records.prepared import require_prepared
from ..units.unit import GROUP
from ..units.unit_tables import read_unit
from .group_job import GROUP_UNIT, GroupJob
from .produced import join_results
from .unit_job import Job


def open_job(study: Study, unit: str, **facts: Any) -> Job:
    """The job of a unit in a study that was prepared.

    Raises `WorkflowFailure` where the study is not prepared, has no such unit,
    or a result of another study that the unit reads is not there.
    """
    prepared = require_prepared(study)
    if unit == GROUP:
        return GroupJob(study, GROUP_UNIT, prepared, **{**facts, "by_hand": True})
    listed = read_unit(study, unit)
    if study.produced_inputs:
        try:
            listed, prepared = join_results(study, listed, prepared)
        except WorkflowFailure as e:
            note_waiting(study, unit, e, facts.get("requested", NOTHING_KNOWN))
            raise
    return Job(study, listed, prepared, **facts)


def note_waiting(study: Study, unit: str, failure: WorkflowFailure, requested: Request) -> None:
    """Write why a unit cannot be processed yet among its attempts."""
    attempt = Attempt.of(
        unit,
        failure,
        host=node_name(),
        scheduler_job_id=scheduler_job_id(),
        attempt=len(read_attempts(study, unit)) + 1,
        requested=requested,
    )
    add_attempt(study, attempt)
