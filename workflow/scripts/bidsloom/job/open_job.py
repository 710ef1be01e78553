"""The job of a unit or of the group, in a study that was prepared."""

from __future__ import annotations

from typing import Any

from ..base.errors import WorkflowFailure
from ..base.files import read_json
from ..config import Study
from ..units.unit import GROUP
from ..units.unit_tables import read_unit
from .group_job import GROUP_UNIT, GroupJob
from .unit_job import Job


def open_job(study: Study, unit: str, **facts: Any) -> Job:
    """The job of a unit in a study that was prepared."""
    prepared = read_json(study.results / "prepared.json")
    if prepared is None:
        raise WorkflowFailure(
            f"Study {study.name} is not prepared: {study.results / 'prepared.json'} is missing.",
            hint="run `snakemake --cores 1 prepare_study list_subjects` first.",
        )
    if unit == GROUP:
        return GroupJob(study, GROUP_UNIT, prepared, **{**facts, "by_hand": True})
    return Job(study, read_unit(study, unit), prepared, **facts)
