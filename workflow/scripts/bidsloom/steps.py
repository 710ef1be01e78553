"""The commands of one job, in order.

Nothing here is carried out: a job works through these steps, and a dry run
prints them, ready to be pasted into a shell.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .bids import Unit, inherited_files, is_annexed
from .branches import FINGERPRINT_TRAILER, UNIT_TRAILER, branch_name
from .clones import CONTAINERS_PATH, clone_containers
from .config import Study
from .containers import image_path
from .runners import call_git
from .runtimes import LICENSE, WORK_DIR, Runtime, mounts
from .stores import Store, StoreKind, output_store
from .study import cached_units, unit_fingerprint

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
    def inputs(self) -> list[str]:
        """The unit's folder and the files it inherits, relative to the dataset.

        Looked up once: the list of units is read for it.
        """
        study = self.study
        units = cached_units(study, self.prepared["input_commit"])
        paths = [self.unit.folder, *inherited_files(study.input, units, self.unit)]
        return [f"{study.input_path}/{path}" for path in paths]


def clone_steps(job: Job, clone: Path) -> Iterator[Step]:
    """From nothing to a clone with the unit's tree, on its branch, without data."""
    study, source = job.study, job.study.dataset
    raw, home = clone / study.input_path, clone.parent
    # `--shared` borrows the study dataset's objects; `annex.private` comes
    # before git-annex does, so that the clone stands in no location log.
    settings = ["-c", "annex.private=true", "-c", "gc.auto=0"]
    shared = ["git", "clone", "-q", "--shared", "--no-checkout", "--no-tags", *settings]
    remotes = f"include.path={source}/.git/bidsloom-remotes"
    yield Step(
        "clone",
        [*shared, "--origin", "study", "-c", remotes, "-c", "remote.study.annex-ignore=true"]
        + ["--branch", "base", str(source), str(clone)],
        home,
    )
    yield Step("clone", ["git", "annex", "init", "-q"], clone)
    yield Step("clone", ["git", "checkout", "-q", "-b", job.branch, job.prepared["base"]], clone)
    if study.container.dataset:
        yield from container_dataset_steps(job, clone)
    else:
        base = job.prepared["base"]
        command = link_image_command(source, clone, image_path(study), base)
        yield Step("clone", command, clone)

    remotes = f"include.path={study.input}/.git/bidsloom-remotes"
    yield Step(
        "structure",
        [*shared, "--origin", "study", "-c", remotes, "-c", "remote.study.annex-ignore=true"]
        + [str(study.input), str(raw)],
        clone,
    )
    # A cone holds the unit's folder and the files of every folder above it:
    # what BIDS lets it inherit, and no other subject.
    yield Step(
        "structure",
        ["git", "sparse-checkout", "set", "--cone", "--sparse-index", job.unit.folder],
        raw,
    )
    yield Step(
        "structure", ["git", "checkout", "-q", "--detach", job.prepared["input_commit"]], raw
    )
    if is_annexed(study.input):
        yield Step("structure", ["git", "annex", "init", "-q"], raw)


def container_dataset_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The container dataset in a job's clone, with one image's folder of it."""
    study, image = job.study, job.study.container.image
    commit, target = clone_containers(study), clone / CONTAINERS_PATH
    shared = ["git", "clone", "-q", "--shared", "--no-checkout", "--no-tags"]
    private = ["-c", "annex.private=true", "-c", "gc.auto=0"]
    yield Step("clone", [*shared, *private, str(study.containers), str(target)], clone)
    yield Step(
        "clone",
        ["git", "sparse-checkout", "set", "--cone", "--sparse-index", str(Path(image).parent)],
        target,
    )
    yield Step("clone", ["git", "checkout", "-q", "--detach", commit], target)
    if "--" in job.prepared["container_key"]:  # an annex key
        yield Step("clone", ["git", "annex", "init", "-q"], target)
        yield Step("clone", link_image_command(study.containers, target, image, commit), target)


def link_image_command(source: Path, clone: Path, image: str, commit: str) -> list[str]:
    """Lay the image's content into a clone as a link to the study's one copy."""
    target = call_git(["cat-file", "blob", f"{commit}:{image}"], cwd=source)
    inside = Path(".git", target.partition(".git/")[2])
    original, content = source / inside, clone / inside
    script = 'mkdir -p "$(dirname "$2")" && ln -s "$1" "$2"'
    return ["sh", "-c", script, "link-image", str(original), str(content)]


def compute_steps(job: Job, clone: Path) -> Iterator[Step]:
    """From a clone without data to a commit with the unit's results."""
    study, unit = job.study, job.unit
    raw = clone / study.input_path
    container = study.container
    if is_annexed(study.input):
        paths = [path.removeprefix(f"{study.input_path}/") for path in job.inputs]
        yield Step("inputs", ["git", "annex", "get", "-q", "--", *paths], raw)
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


def filter_file(job: Job) -> str | None:
    """The unit's BIDS filter file, relative to the dataset; None without a filter."""
    return f"code/bids_filter/{job.unit.name}.json" if job.study.container.bids_filter else None


def unit_filter(job: Job) -> str:
    """The BIDS filter of a unit, as JSON: a session unit's names the session."""
    filters = json.loads(job.study.container.bids_filter)
    if job.unit.session is not None:
        filters = {name: {"session": job.unit.session, **f} for name, f in filters.items()}
    return json.dumps(filters, indent=1, sort_keys=True)


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
    yield Step(
        "push_branch",
        ["git", "push", f"--force-with-lease={ref}:{job.seen or ''}"]
        + [store.git_url, f"HEAD:{ref}"],
        clone,
    )


def existing_outputs(job: Job, clone: Path) -> list[str]:
    """Output folders that the app wrote to; all of them before it ran."""
    outputs = job.study.container.outputs
    written = [out for out in outputs if any(f for *_, f in os.walk(clone / out))]
    return written or list(outputs)


def app_command(job: Job) -> list[str]:
    """The BIDS App's arguments, relative to the dataset's root."""
    container, unit = job.study.container, job.unit
    labels = [container.participant_flag, unit.subject]
    if unit.session is not None and container.session_flag:
        labels += [container.session_flag, unit.session]
    if path := filter_file(job):
        labels += ["--bids-filter-file", path]
    values = placeholder_values(job)
    return [
        job.study.input_path,
        container.outputs[0],
        container.analysis_level,
        *labels,
        *(fill(word, values) for word in container.arguments),
    ]


def placeholder_values(job: Job) -> dict[str, str]:
    """What stands for the placeholders in the app's arguments."""
    asked, granted = job.study.resources, job.requested
    threads = granted.get("threads") or asked.cpus
    mem_mb = granted.get("mem_mb") or asked.mem_mb or 0
    bare = job.runtime is Runtime.NONE
    return {
        "threads": str(threads),
        "mem_mb": str(mem_mb),
        "mem_gb": str(max(1, mem_mb // 1024)),
        # Without a container DataLad makes a folder for each run, and each rerun.
        "work_dir": "{tmpdir}" if bare else WORK_DIR,
        "freesurfer_license": str(job.study.container.freesurfer_license) if bare else LICENSE,
    }


def fill(word: str, values: Mapping[str, str]) -> str:
    """A word with its placeholders filled; DataLad formats it, so other braces are doubled."""
    parts = re.split(f"{{({'|'.join(values)})}}", word)
    # Literal text and names of placeholders take turns.
    escaped = [part.replace("{", "{{").replace("}", "}}") for part in parts[::2]]
    filled = [values[name] for name in parts[1::2]]
    return "".join(text for pair in zip(escaped, [*filled, ""], strict=True) for text in pair)


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
