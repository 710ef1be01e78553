"""Whether what the app wrote is a complete result."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..units.completeness import Verdict, describe_lacks, judge
from ..units.subject_datasets import list_unit_files
from .survey import Kind, list_entries
from .unit_job import Job

log = logging.getLogger(__name__)


def judge_files(job: Job, names: Iterable[str]) -> Verdict:
    """What is missing among the files of a result, and what crashed."""
    return judge(job.study.container, job.unit, written=names, read=read_files(job))


def read_files(job: Job) -> list[str]:
    """The unit's files in the raw input; none for the group."""
    if job.unit.is_group:
        return []
    return list_unit_files(job.given, job.unit)


def is_all_there(job: Job, clone: Path) -> bool:
    """True where an app that ended with an error left every file that is expected of it.

    Without `container.expects` nobody knows what is expected.
    """
    if not job.study.container.expects:
        return False
    apart = [target.path for target in job.targets if target.path]
    entries = list_entries(clone, job.study.container.outputs, apart=apart)
    names = [entry.path for entry in entries if entry.kind in (Kind.FILE, Kind.LINK)]
    return not judge_files(job, names).missing


def find_reasons(job: Job, clone: Path, files: Iterable[str], *, exit_code: int) -> tuple[str, ...]:
    """Why a result of these files is not complete; empty for a complete one."""
    names = list(unpacked(clone, files)) if job.study.container.archive else files
    reasons = describe_lacks(judge_files(job, names), exit_code)
    for reason in reasons:
        log.warning("%s is not complete: %s", job.unit.name, reason)
    return reasons


def unpacked(clone: Path, files: Iterable[str]) -> Iterator[str]:
    """Paths of files, those of an archive as they were before they were packed."""
    for path in files:
        if path.endswith(".zip"):
            folder = path.removesuffix(".zip")
            with zipfile.ZipFile(clone / path) as archive:
                yield from (f"{folder}/{n}" for n in archive.namelist() if not n.endswith("/"))
        else:
            yield path
