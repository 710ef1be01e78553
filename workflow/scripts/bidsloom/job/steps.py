"""The commands of one job, in order.

Nothing is executed here: a job carries out these steps, and a dry run prints
them, ready to be pasted into a shell.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..base.runners import Step
from ..containers.runtimes import mount_places, scratch_folder
from ..datasets.annex import annexed_keys, is_annexed
from ..datasets.branches import format_trailers, head_of
from ..datasets.output_datasets import OutputDataset
from ..datasets.pushes import publish_command
from ..datasets.thin_clones import further_paths_steps
from ..units.named_files import find_named
from .app_command import app_command, filter_file, unit_filter
from .part_steps import part_input_steps
from .unit_job import Job

# $1: the path of an output that is a dataset of its own, $2: the commit that
# the job started from there, $3: the message of what it wrote, $4, $5: trailers.
# DataLad gave that commit the run record, which is valid in the output dataset.
SEAL_PART = """\
(cd "$1" && { [ "$(git rev-parse HEAD)" = "$2" ] ||
git commit -q --amend --no-verify -m "$3" --trailer "$4" --trailer "$5"; }) && git add -- "$1"
"""
PART = "The run record is in the dataset {}, which registers this one at {}."
# $@: files to fetch; git-annex by itself knows no patterns.
GET = 'git ls-files -z -- "$@" | git annex get -q -z --batch'
# The private special remote onto a bare store's objects, in a job's clone.
STORE_CONTENT = "store-content"


def compute_steps(job: Job, clone: Path) -> Iterator[Step]:
    """From a clone without data to a commit with the unit's results."""
    study, unit = job.study, job.unit
    container = study.container
    if job.unit.is_group:
        yield from group_input_steps(job, clone)
    for source in job.sources:
        if (paths := job.own_paths(source)) and is_annexed(source.clone):
            get = ["git", "annex", "get", "-q", "--", *paths]
            yield Step("inputs", get, clone / source.path)
    yield from part_input_steps(job, clone)
    yield from late_input_steps(job, clone)
    yield from scratch_steps(job, clone)
    yield Step(
        "run",
        ["datalad", "containers-run", "--explicit", "-n", container.name, "-m", run_message(job)]
        + [f"--input={path}" for path in run_inputs(job)]
        + [f"--output={path}" for path in run_outputs(job)]
        + app_command(job),
        clone,
    )
    # DataLad's own save leaves out what any ignore file names.
    for target in job.targets:
        if paths := job.own(target, container.outputs):
            add = ["git", "annex", "add", "-q", "--no-check-gitignore", "--", *paths]
            yield Step("save", add, clone / target.path)
    trailers = format_trailers(unit.name, job.fingerprint).splitlines()
    for target in job.targets[:-1]:
        about = PART.format(job.prepared.dataset_id, target.path)
        message = f"{run_message(job)}\n\n{about}"
        amend = ["seal-part", target.path, job.bases[target.path], message, *trailers]
        yield Step("seal_part", ["sh", "-c", SEAL_PART, *amend], clone)
    yield Step(
        "seal",
        ["git", "commit", "-q", "--amend", "--no-verify", "--no-edit"]
        + [f"--trailer={trailer}" for trailer in trailers],
        clone,
    )


def late_input_steps(job: Job, clone: Path) -> Iterator[Step]:
    """What annexed files of the unit name, which could not be read before they were here.

    These are inputs from then on.  A dry run does not know them.
    """
    if job.unit.is_group or not job.named.unread:
        return
    raw = job.sources[0]
    place = clone / raw.path
    tree, disk = job.study.input_tree(raw.commit), place / job.study.input_folder
    named = find_named(raw.clone, tree, job.unit, disk=disk)
    paths = [job.in_input(path) for path in named.paths]
    if late := [path for path in paths if path not in raw.paths]:
        raw.paths.extend(late)
        keys = annexed_keys(raw.clone, raw.commit, raw.paths)
        yield from further_paths_steps(
            "inputs", raw.clone, place, raw.commit, paths=late, keys=keys
        )
        yield Step("inputs", ["git", "annex", "get", "-q", "--", *late], place)


def group_input_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The content of the merged files that the group level reads, and none of its last result."""
    for target in job.targets:
        if outdated := job.outdated_files(target):
            yield Step("inputs", ["rm", "-f", "--", *outdated], clone / target.path)
        paths = [f":(glob){path}" for path in job.own(target, job.study.container.group_inputs)]
        if paths and is_annexed(target.dataset):
            yield Step("inputs", ["sh", "-c", GET, "get", *paths], clone / target.path)


def scratch_steps(job: Job, clone: Path) -> Iterator[Step]:
    """What is ready before the app starts: its `/tmp` with mount points, and its filter file."""
    yield from mount_steps(job, clone)
    if path := filter_file(job):
        script = 'mkdir -p "$(dirname "$1")" && printf "%s\\n" "$2" > "$1"'
        yield Step("scratch", ["sh", "-c", script, "write-filter", path, unit_filter(job)], clone)
        # DataLad would remove an output that git does not know.
        yield Step("scratch", ["git", "add", "--", path], clone)


def mount_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The app's `/tmp`, with mount points in it."""
    folders, files = mount_places(job.study, job.runtime, scratch_folder(clone) / "tmp")
    yield Step("scratch", ["mkdir", "-p", *map(str, folders)], clone)
    if files:
        yield Step("scratch", ["touch", *map(str, files)], clone)


def run_inputs(job: Job) -> list[str]:
    """What the recorded command reads."""
    return [*job.inputs, *filter(None, [filter_file(job)])]


def run_outputs(job: Job) -> list[str]:
    """What is saved with the recorded command; the filter file was made for it."""
    return [*job.study.container.outputs, *filter(None, [filter_file(job)])]


def run_message(job: Job) -> str:
    """First line of the run-record commit."""
    return f"{job.study.container.name} {job.unit.name}"


def push_steps(job: Job, clone: Path) -> Iterator[Step]:
    """From a commit to a branch in the output store, whose content is there already.

    Content goes first and needs no lock: annex keys never collide.  The
    branches go second, that of the output dataset last: it announces all.
    """
    targets = [target for target in job.targets if is_written(job, clone, target)]
    for target in targets:
        yield from push_content_steps(job, clone, target)
    ref = f"refs/heads/{job.branch}"
    for target in targets:
        base, seen = job.bases[target.path], job.head_seen(target)
        push = publish_command(target.store, ref, base=base, seen=seen)
        yield Step("push_branch", push, clone / target.path)


def push_content_steps(job: Job, clone: Path, target: OutputDataset) -> Iterator[Step]:
    """The annexed files that a job wrote to a dataset, to its store."""
    outputs = existing_outputs(job, clone, target)
    if not outputs:
        return
    place, store = clone / target.path, target.store
    remote = store.content_remote
    if store.holds_objects:
        # `annex copy` to the store itself would make it commit to its
        # git-annex branch once a job; this writes the same files in place.
        remote = STORE_CONTENT
        yield Step(
            "name_store",
            ["git", "annex", "initremote", "-q", remote, "--private", "type=directory"]
            + ["encryption=none", f"directory={store.repository}/annex/objects"],
            place,
        )
    copy = ["git", "annex", "copy", "-q", "--to", remote, "--", *outputs]
    yield Step("push_content", copy, place)


def is_written(job: Job, clone: Path, target: OutputDataset) -> bool:
    """False for a part of the output that a finished job added nothing to."""
    place = clone / target.path
    return not place.exists() or head_of(place, "HEAD") != job.bases[target.path]


def existing_outputs(job: Job, clone: Path, target: OutputDataset) -> list[str]:
    """What of a dataset the app wrote to, relative to it; all of it before it ran."""
    if target.path:
        return ["."]
    outputs = job.own(target, job.study.container.outputs)
    written = [out for out in outputs if any(f for *_, f in os.walk(clone / out))]
    return written or outputs
