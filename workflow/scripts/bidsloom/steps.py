"""The commands of one job, in order.

Nothing here is carried out: a job works through these steps, and a dry run
prints them, ready to be pasted into a shell.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .appcall import app_command, filter_file, unit_filter
from .bids import Unit, inherited_files, is_annexed
from .branches import FINGERPRINT_TRAILER, UNIT_TRAILER, branch_name
from .config import Study
from .further import taken_paths
from .runtimes import Runtime, mounts
from .stores import Store, StoreKind, output_store
from .study import unit_fingerprint

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

    `by_hand` says that no Snakemake looked at the store before.
    """

    study: Study
    unit: Unit
    prepared: dict
    log_file: Path | None = None
    by_hand: bool = False
    requested: dict = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    seen: str | None = None

    @property
    def store(self) -> Store:
        """The output store."""
        return output_store(self.study)

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
    for source in job.sources:
        if is_annexed(source.clone):
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
    yield Step(
        "seal",
        ["git", "commit", "-q", "--amend", "--no-verify", "--no-edit"]
        + [f"--trailer={UNIT_TRAILER}: {unit.name}"]
        + [f"--trailer={FINGERPRINT_TRAILER}: {job.fingerprint}"],
        clone,
    )


def scratch_steps(job: Job, clone: Path) -> Iterator[Step]:
    """What the app finds ready: its `/tmp` with mount points, and its filter file."""
    temporary = scratch_folder(clone) / "tmp"
    folders, files = [temporary], []
    # Charliecloud mounts onto what is there; the others would make it.
    for bind in mounts(job.study.container) if job.runtime is Runtime.CHARLIECLOUD else ():
        if bind.target.startswith("/tmp/"):
            place = temporary / bind.target.removeprefix("/tmp/")
            (folders if bind.source.is_dir() else files).append(place)
            folders.append(place.parent)
    yield Step("scratch", ["mkdir", "-p", *map(str, folders)], clone)
    if files:
        yield Step("scratch", ["touch", *map(str, files)], clone)
    if path := filter_file(job):
        script = 'mkdir -p "$(dirname "$1")" && printf "%s\\n" "$2" > "$1"'
        yield Step("scratch", ["sh", "-c", script, "write-filter", path, unit_filter(job)], clone)
        # DataLad would remove an output that git does not know.
        yield Step("scratch", ["git", "add", path], clone)


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
    """From a commit to a branch in the output store, whose content is there already."""
    store = job.store
    # Content goes first and needs no lock: annex keys never collide.
    # The branch goes second: it announces the content.
    remote = store.content_remote
    if store.kind is StoreKind.BARE:
        # `annex copy` to the store itself would make it commit to its
        # git-annex branch once a job; this writes the same files in place.
        remote = STORE_CONTENT
        yield Step(
            "name_store",
            ["git", "annex", "initremote", "-q", remote, "--private", "type=directory"]
            + ["encryption=none", f"directory={store.repository}/annex/objects"],
            clone,
        )
    yield Step(
        "push_content",
        ["git", "annex", "copy", "-q", "--to", remote, "--", *existing_outputs(job, clone)],
        clone,
    )
    ref = f"refs/heads/{job.branch}"
    if store.repository:
        script = ["sh", "-c", PUBLISH, "publish", str(store.repository), ref]
        yield Step("push_branch", [*script, job.prepared["base"], job.seen or ""], clone)
    else:
        push = ["git", "push", "-q", f"--force-with-lease={ref}:{job.seen or ''}"]
        yield Step("push_branch", [*push, store.git_url, f"HEAD:{ref}"], clone)


def existing_outputs(job: Job, clone: Path) -> list[str]:
    """Output folders that the app wrote to; all of them before it ran."""
    outputs = job.study.container.outputs
    written = [out for out in outputs if any(f for *_, f in os.walk(clone / out))]
    return written or list(outputs)


def narrow(paths: list[str], unit: Unit) -> list[str]:
    """Files as the fewest paths that belong to the unit alone.

    >>> narrow(["out/sub-1/a", "out/sub-1/b", "out/sub-1.html"], unit_sub_1)
    ["out/sub-1", "out/sub-1.html"]
    """
    own = unit.folder.split("/")
    covered = set()
    for path in paths:
        parts = path.split("/")
        length = len(parts)
        for n in range(len(parts) - len(own)):
            if parts[n : n + len(own)] == own:
                length = n + len(own)
                break
        covered.add("/".join(parts[:length]))
    return sorted(covered)
