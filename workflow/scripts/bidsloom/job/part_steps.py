"""The commands that install a unit's datasets in the input, and get their content.

A subject, or a session, may be a dataset of its own that the input registers.
Only those of the unit are installed, each at its registered commit, and
nothing is registered anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.runners import Step
from ..datasets.annex import is_annexed
from ..datasets.stores import RIA
from ..datasets.subdataset_trees import remember
from ..datasets.subdatasets import install, install_command
from ..datasets.thin_clones import LAY_OUT, lay_out_steps
from ..units.subject_datasets import (
    Part,
    files_beside,
    list_unit_files,
    parts_in,
    refuse_foreign,
)
from .unit_job import Job


def part_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The unit's datasets, in the clone of the input, without data.

    Datasets that are nested in others are known once these are installed; a
    dry run does not see them.

    Raises `WorkflowFailure` where no file has a name of the unit's subject.
    """
    place = clone / job.study.input_path
    for part in list(job.parts):
        yield from install_steps(job, place, part)
    if job.parts and all(part.path in job.installed for part in job.parts):
        refuse_foreign(job.parts[0], job.unit, list_unit_files(job.given, job.unit))


def install_steps(job: Job, place: Path, part: Part) -> Iterator[Step]:
    """One dataset, and those that are nested in it; `place` is the clone of the input."""
    commit, inner = part.subdataset.commit, place / part.path
    yield Step("install", install_command(part.path, commit, part.subdataset.urls), place)
    if part.path not in job.installed:
        return
    tree = remember(inner, commit, url=job.installed[part.path], memory=job.given.memory)
    if part.inside:
        known, part = part, replace(part, beside=files_beside(tree.entries))
        job.parts[job.parts.index(known)] = part
    if job.installed[part.path].startswith(RIA):
        # DataLad, which alone knows how content is fetched there, has initialised git-annex.
        yield Step("structure", ["sh", "-c", LAY_OUT, "lay-out", commit, *part.paths], inner)
        yield Step("structure", ["git", "update-ref", "--no-deref", "HEAD", commit], inner)
    else:
        yield from lay_out_steps("structure", inner, inner, commit, paths=part.paths, keys=None)
    nested = list(parts_in(tree.entries, part.inside, tree.registry, outer=part.path))
    job.parts += nested
    for each in nested:
        yield from install_steps(job, place, each)


def install_part(job: Job, step: Step) -> None:
    """Install one of the unit's datasets.  Raises `WorkflowFailure` where it cannot be had."""
    path = step.argv[4]
    part = next(part for part in job.parts if part.path == path)
    try:
        job.installed[path] = install(part.subdataset, cwd=step.cwd, path=path)
    except WorkflowFailure as e:
        raise WorkflowFailure(
            f"{job.unit.name} cannot get its files: {e.message}.",
            hint=e.hint,
            failure_class=e.failure_class,
        ) from e


def part_input_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The content of the unit's files in its datasets."""
    for part in job.parts:
        place = clone / job.study.input_path / part.path
        if place.exists() and not is_annexed(place):
            continue
        nested = [p.path.removeprefix(f"{part.path}/") for p in job.parts]
        if paths := [path for path in part.paths or ["."] if path not in nested]:
            yield Step("inputs", ["git", "annex", "get", "-q", "--", *paths], place)
