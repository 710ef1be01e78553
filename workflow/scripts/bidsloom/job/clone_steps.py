"""A job's clones: of the study dataset and of the input, as little as the unit needs.

Objects and the image are read from the study's own clones, never copied.  The
cost does not grow with the number of subjects or finished units: a clone's
index lists one unit's files, and its location log one unit's keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..base.runners import Step, call_git
from ..containers.image import image_path
from ..datasets.annex import annexed_keys
from ..datasets.output_datasets import OutputDataset
from ..datasets.registered import CONTAINERS_PATH
from ..datasets.thin_clones import (
    CLONE,
    annex_steps,
    findings_below,
    lay_out_steps,
    link_image_command,
    remotes_of,
)
from .part_steps import part_steps
from .produced import present_steps, register_steps
from .unit_job import Job


def clone_steps(job: Job, clone: Path) -> Iterator[Step]:
    """From nothing to a clone with the unit's tree, on its branch, without data."""
    study, dataset, base = job.study, job.study.dataset, job.bases[""]
    own = ["--origin", "study", "--branch", "base", *remotes_of(dataset)]
    yield Step("clone", [*CLONE, *own, str(dataset), str(clone)], clone.parent)
    yield from start_steps(job, clone, job.targets[-1])
    yield from register_steps(job, clone)
    if study.container.dataset:
        yield from container_dataset_steps(job, clone)
    else:
        yield Step("clone", link_image_command(dataset, clone, image_path(study), base), clone)
    for target in job.targets[:-1]:
        yield from output_steps(job, clone, target)

    for source in job.sources:
        place, commit, paths = clone / source.path, source.commit, source.paths
        own = ["--origin", "study", *remotes_of(source.clone)]
        yield Step("structure", [*CLONE, *own, str(source.clone), str(place)], clone)
        # The unit's files and what BIDS lets it inherit, and no other subject.
        keys = annexed_keys(source.clone, commit, paths) if paths else []
        known = findings_below(study.work_dir)
        yield from lay_out_steps(
            "structure", source.clone, place, commit, paths=paths, keys=keys, known=known
        )
        yield from present_steps(job, clone, source)
    yield from part_steps(job, clone)


def output_steps(job: Job, clone: Path, target: OutputDataset) -> Iterator[Step]:
    """An output that is a dataset of its own, on the job's branch, as it was before any result."""
    place, own = clone / target.path, ["--origin", "study", "--branch", "base"]
    remotes = remotes_of(target.dataset)
    yield Step("clone", [*CLONE, *own, *remotes, str(target.dataset), str(place)], clone)
    yield from start_steps(job, clone, target)


def start_steps(job: Job, clone: Path, target: OutputDataset) -> Iterator[Step]:
    """The job's branch in a clone without a work tree, checked out where it starts."""
    place, base = clone / target.path, job.bases[target.path]
    yield Step("clone", ["git", "checkout", "-q", "-b", job.branch, base], place)
    # What the group level reads lies in main, whose logs are the whole branch.
    keys: list[str] | None = None if job.unit.is_group else []
    known = findings_below(job.study.work_dir)
    yield from annex_steps("clone", target.dataset, place, keys=keys, known=known)


def container_dataset_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The container dataset in a job's clone, with one image of it."""
    study, image, key = job.study, job.study.container.image, job.prepared.container_key
    # As the study dataset registers it; preparing the study has cloned it.
    registered = f"{job.prepared.bases['']}:{CONTAINERS_PATH}"
    commit, target = call_git(["rev-parse", registered], cwd=study.dataset), clone / CONTAINERS_PATH
    yield Step("clone", [*CLONE, str(study.containers), str(target)], clone)
    keys = [key] if "--" in key else []  # an image may lie in git itself
    known = findings_below(study.work_dir)
    yield from lay_out_steps(
        "clone", study.containers, target, commit, paths=[image], keys=keys, known=known
    )
    if keys:
        yield Step("clone", link_image_command(study.containers, target, image, commit), target)
