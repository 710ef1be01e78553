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

from .bids import Unit, inherited_files, is_annexed
from .branches import FINGERPRINT_TRAILER, UNIT_TRAILER, branch_name
from .config import Study
from .containers import image_path
from .runners import call_git
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
    """What one job knows of its unit, and what it learns on its way."""

    study: Study
    unit: Unit
    prepared: dict
    log_file: Path | None = None
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
        return unit_fingerprint(self.study, self.unit, self.prepared["container_key"])

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
    yield Step("clone", link_image_command(job, clone), clone)

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


def link_image_command(job: Job, clone: Path) -> list[str]:
    """Lay the image's content into the clone as a link to the study's one copy."""
    image = image_path(job.study.container.name)
    target = call_git(["show", f"{job.prepared['base']}:{image}"], cwd=job.study.dataset)
    content = Path(os.path.normpath(clone / Path(image).parent / target))
    original = job.study.dataset / content.relative_to(clone)
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
    yield Step(
        "run",
        ["datalad", "containers-run", "--explicit", "-n", container.name, "-m", run_message(job)]
        + [f"--input={path}" for path in job.inputs]
        + [f"--output={path}" for path in container.outputs]
        + app_command(study, unit),
        clone,
    )
    yield Step(
        "seal",
        ["git", "commit", "-q", "--amend", "--no-verify", "--no-edit"]
        + [f"--trailer={UNIT_TRAILER}: {unit.name}"]
        + [f"--trailer={FINGERPRINT_TRAILER}: {job.fingerprint}"],
        clone,
    )


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
    """Output folders that the app wrote; all of them before it ran."""
    outputs = [o for o in job.study.container.outputs if (clone / o).exists()]
    return outputs or list(job.study.container.outputs)


def app_command(study: Study, unit: Unit) -> list[str]:
    """The BIDS App's arguments, relative to the dataset's root."""
    container = study.container
    labels = ["--participant-label", unit.subject]
    if unit.session is not None:
        labels += [container.session_flag, unit.session]
    command = [
        study.input_path,
        container.outputs[0],
        container.analysis_level,
        *labels,
        *container.arguments,
    ]
    # DataLad formats the command; braces of its own are doubled.
    return [word.replace("{", "{{").replace("}", "}}") for word in command]


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
