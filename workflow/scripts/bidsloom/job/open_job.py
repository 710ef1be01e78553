"""The job of a unit or of the group, in a study that was prepared."""

from __future__ import annotations

from typing import Any

from ..config import Study
from ..records.prepared import require_prepared
from ..units.unit import GROUP
from ..units.unit_tables import read_unit
from .group_job import GROUP_UNIT, GroupJob
from .unit_job import Job


def open_job(study: Study, unit: str, **facts: Any) -> Job:
    """The job of a unit in a study that was prepared."""
    prepared = require_prepared(study)
    if unit == GROUP:
        return GroupJob(study, GROUP_UNIT, prepared, **{**facts, "by_hand": True})
    return Job(study, read_unit(study, unit), prepared, **facts)
