"""The commands of one job, in order.

Nothing here is carried out: a job works through these steps, and a dry run
prints them, ready to be pasted into a shell.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .appcall import app_command, filter_file, unit_filter
from .bids import Unit, inherited_files, is_annexed
from .branches import FINGERPRINT_TRAILER, UNIT_TRAILER, branch_name, head_of
from .config import Study
from .further import taken_paths
from .runtimes import Runtime, mounts
from .stores import Store, StoreKind
from .study import unit_fingerprint
from .targets import Target, all_targets, owner_of

# Objects and ref written straight into a store on a mounted file system: a push
# would list all its branches.  An old value that is not there any more, as of a
# branch that another job replaced, ends it.
PUBLISH = """\
set -e
count=$(git rev-list --count --objects HEAD "^$3")
take="unpack-objects -q"
[ "$count" -le 100 ] || take="index-pack --stdin"
printf 'HEAD\\n^%s\\n' "$3" | git pack-objects -q --revs --stdout |
git --git-dir="$1" $take > /dev/null
git --git-dir="$1" update-ref "$2" "$(git rev-parse HEAD)" "$4"
"""

# $1: the commit that a job started from in an output's own dataset, $2: the
# message of what it wrote there, $3, $4: trailers.  DataLad gave that commit the
# run record, which holds for the output dataset.
SEAL_PART = """\
[ "$(git rev-parse HEAD)" = "$1" ] ||
git commit -q --amend --no-verify -m "$2" --trailer "$3" --trailer "$4"
"""
PART = "The run record stands in the dataset {}, which registers this one at {}."

# $@: files to fetch; git-annex by itself knows no patterns.
GET = 'git ls-files -z -- "$@" | git annex get -q -z --batch'

# The private special remote onto a bare store's objects, in a job's clone.
STORE_CONTENT = "store-content"


@dataclass(frozen=True)
class Step:
    """A command of the sequence; `name` says which part of the job it is."""

    name: str
    argv: list[str]
    cwd: Path

    def __str__(self) -> str:
        return f"(cd {shlex.quote(str(self.cwd))} && {shlex.join(self.argv)})"


@dataclass(frozen=True)
class Source:
    """Some paths of a commit of an input dataset, which is registered at `path`."""

    path: str
    url: str
    clone: Path
    commit: str
    paths: list[str]


@dataclass
class Job:
    """What one job knows of its unit, and what it learns on its way.

    `by_hand` says that no Snakemake looked at the store before.  What the unit
    took: `seconds` of each step, `peak` in MB, the app's `cpu_seconds`, files
    and bytes of its `output`.
    """

    study: Study
    unit: Unit
    prepared: dict
    log_file: Path | None = None
    by_hand: bool = False
    requested: dict = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)
    cpu_seconds: float | None = None
    output: dict[str, int] = field(default_factory=dict)
    seen: dict[str, str | None] = field(default_factory=dict)

    @cached_property
    def targets(self) -> list[Target]:
        """The datasets that the job writes to; the output dataset comes last."""
        return all_targets(self.study)

    @property
    def bases(self) -> dict[str, str]:
        """The commits that the job starts from, by the place of their datasets."""
        return self.prepared["bases"]

    @property
    def branch(self) -> str:
        """The job branch."""
        return branch_name(self.study.container.name, self.unit.name)

    @property
    def fingerprint(self) -> str:
        """What this unit's result must have been made from."""
        return unit_fingerprint(self.study, self.unit, self.prepared["image"])

    @property
    def runtime(self) -> Runtime:
        """What runs the image."""
        return Runtime(self.prepared["runtime"])

    def own(self, target: Target, paths: Iterable[str]) -> list[str]:
        """Those of some paths of the output dataset that lie in a dataset, relative to it."""
        return [target.inside(path) for path in paths if owner_of(path, self.targets) is target]

    def outdated_files(self, target: Target) -> list[str]:
        """Files of an earlier result that the job finds in a dataset, relative to it."""
        return []

    @cached_property
    def sources(self) -> list[Source]:
        """What the job reads of each input dataset."""
        study, unit, commit = self.study, self.unit, self.prepared["input_commit"]
        paths = [unit.folder, *inherited_files(study.input, commit, unit)]
        sources = [Source(study.input_path, study.input_url, study.input, commit, paths)]
        here = {path for path, _ in unit.further}
        for f in study.further_inputs:
            if f.path in here:
                commit = self.prepared["further_commits"][f.path]
                paths = taken_paths(f, commit, unit)
                sources.append(Source(f.path, f.url, f.clone, commit, paths))
        return sources

    @property
    def inputs(self) -> list[str]:
        """What the job reads, relative to the output dataset."""
        return [f"{source.path}/{path}" for source in self.sources for path in source.paths]


def compute_steps(job: Job, clone: Path) -> Iterator[Step]:
    """From a clone without data to a commit with the unit's results."""
    study, unit = job.study, job.unit
    container = study.container
    if job.unit.is_group:
        yield from group_input_steps(job, clone)
    for source in job.sources:
        if source.paths and is_annexed(source.clone):
            get = ["git", "annex", "get", "-q", "--", *source.paths]
            yield Step("inputs", get, clone / source.path)
    yield from scratch_steps(job, clone)
    yield Step(
        "run",
        ["datalad", "containers-run", "--explicit", "-n", container.name, "-m", run_message(job)]
        + [f"--input={path}" for path in run_inputs(job)]
        + [f"--output={path}" for path in run_outputs(job)]
        + app_command(job),
        clone,
    )
    trailers = [f"{UNIT_TRAILER}: {unit.name}", f"{FINGERPRINT_TRAILER}: {job.fingerprint}"]
    for target in job.targets[:-1]:
        about = PART.format(job.prepared["dataset_id"], target.path)
        amend = ["seal-part", job.bases[target.path], f"{run_message(job)}\n\n{about}", *trailers]
        yield Step("seal_part", ["sh", "-c", SEAL_PART, *amend], clone / target.path)
        yield Step("seal_part", ["git", "add", "--", target.path], clone)
    yield Step(
        "seal",
        ["git", "commit", "-q", "--amend", "--no-verify", "--no-edit"]
        + [f"--trailer={trailer}" for trailer in trailers],
        clone,
    )


def group_input_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The content of the merged files that the group level reads, and none of its last result."""
    for target in job.targets:
        if outdated := job.outdated_files(target):
            yield Step("inputs", ["rm", "-f", "--", *outdated], clone / target.path)
        paths = [f":(glob){path}" for path in job.own(target, job.study.container.group_inputs)]
        if paths and is_annexed(target.dataset):
            yield Step("inputs", ["sh", "-c", GET, "get", *paths], clone / target.path)


def scratch_steps(job: Job, clone: Path) -> Iterator[Step]:
    """What the app finds ready: its `/tmp` with mount points, and its filter file."""
    yield from mount_steps(job, clone)
    if path := filter_file(job):
        script = 'mkdir -p "$(dirname "$1")" && printf "%s\\n" "$2" > "$1"'
        yield Step("scratch", ["sh", "-c", script, "write-filter", path, unit_filter(job)], clone)
        # DataLad would remove an output that git does not know.
        yield Step("scratch", ["git", "add", path], clone)


def mount_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The app's `/tmp`, with mount points in it."""
    folders, files = mount_places(job.study, job.runtime, scratch_folder(clone) / "tmp")
    yield Step("scratch", ["mkdir", "-p", *map(str, folders)], clone)
    if files:
        yield Step("scratch", ["touch", *map(str, files)], clone)


def mount_places(study: Study, runtime: Runtime, temporary: Path) -> tuple[list[Path], list[Path]]:
    """Folders and files that must be there before the app starts, its `/tmp` first.

    Charliecloud mounts onto what is there; the others would make it.
    """
    folders, files = [temporary], []
    for bind in mounts(study.container) if runtime is Runtime.CHARLIECLOUD else ():
        if bind.target.startswith("/tmp/"):
            place = temporary / bind.target.removeprefix("/tmp/")
            (folders if bind.source.is_dir() else files).append(place)
            folders.append(place.parent)
    return folders, files


def scratch_folder(clone: Path) -> Path:
    """What the app may fill beside the clone, on the scratch disk."""
    return clone.with_name("scratch")


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
        base, seen = job.bases[target.path], job.seen.get(target.path) or ""
        push = publish_command(target.store, ref, base=base, seen=seen)
        yield Step("push_branch", push, clone / target.path)


def push_content_steps(job: Job, clone: Path, target: Target) -> Iterator[Step]:
    """The annexed files that a job wrote to a dataset, to its store."""
    outputs = existing_outputs(job, clone, target)
    if not outputs:
        return
    place, store = clone / target.path, target.store
    remote = store.content_remote
    if store.kind is StoreKind.BARE:
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


def publish_command(store: Store, ref: str, *, base: str, seen: str) -> list[str]:
    """Push HEAD, which starts from `base`, to a ref that was `seen` at a commit or nowhere."""
    if store.repository:
        return ["sh", "-c", PUBLISH, "publish", str(store.repository), ref, base, seen]
    lease = f"--force-with-lease={ref}:{seen}"
    return ["git", "push", "-q", lease, store.git_url, f"HEAD:{ref}"]


def is_written(job: Job, clone: Path, target: Target) -> bool:
    """False for a part of the output that a finished job added nothing to."""
    place = clone / target.path
    return not place.exists() or head_of(place, "HEAD") != job.bases[target.path]


def existing_outputs(job: Job, clone: Path, target: Target) -> list[str]:
    """What of a dataset the app wrote to, relative to it; all of it before it ran."""
    if target.path:
        return ["."]
    outputs = job.own(target, job.study.container.outputs)
    written = [out for out in outputs if any(f for *_, f in os.walk(clone / out))]
    return written or outputs


def narrow(paths: list[str], unit: Unit) -> list[str]:
    """Files as the fewest paths that belong to the unit alone.

    >>> narrow(["out/sub-1/a", "out/sub-1/b", "out/sub-1.html"], unit_sub_1)
    ["out/sub-1", "out/sub-1.html"]
    """
    own = unit.folder.split("/")
    # A session's folder may hold its subjects' instead (`out/ses-pre/sub-1`).
    owned = (own, own[::-1])
    covered = set()
    for path in paths:
        parts = path.split("/")
        length = len(parts)
        for n in range(len(parts) - len(own)):
            if parts[n : n + len(own)] in owned:
                length = n + len(own)
                break
        covered.add("/".join(parts[:length]))
    return sorted(covered)
