"""The app's run in a job: `datalad containers-run`, and its run record."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

from ..base.credentials import without_credentials
from ..base.datalad_run import run_in_container
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import PYTHON, Step, call, call_git, node_name
from ..containers.call_ending import PACK
from ..containers.runtimes import (
    job_environment,
    scratch_folder,
    start_failure,
    write_environment_file,
)
from ..datasets.annex import SUBDATASET
from ..datasets.branches import format_trailers
from ..datasets.trees import root_tree
from ..units.completeness import expects_digest
from ..units.unit import Unit
from .app_command import app_command, filter_file
from .failures import is_full, log_size, log_tail, was_ended
from .judgement import find_reasons, is_all_there
from .measure import content_size, observed
from .save import stage_outputs
from .steps import PART, run_inputs, run_message, run_outputs
from .unit_job import Job

log = logging.getLogger(__name__)


def run_app(job: Job, step: Step) -> None:
    """`datalad containers-run`, in the environment that this process has.

    Raises `WorkflowFailure` where the app ended with an error, unless all that
    is expected of it is there; and `CommandError` where it was ended, or where
    DataLad failed.
    """
    clone, container = step.cwd, job.study.container
    start = log_size(job)
    try:
        with observed(job), without_credentials(os.environ):
            job.run = run_in_container(
                dataset=clone,
                container=container.name,
                command=app_command(job),
                outputs=run_outputs(job),
                message=run_message(job),
            )
    except CommandError as e:
        if e.exit_code < 0 or was_ended(e) or is_full(job, e.stderr):
            raise
        raise app_failure(job, e.exit_code, log_tail(job, after=start)) from e
    code = job.run.exit_code
    if code:
        ended = CommandError(app_command(job), str(clone), code, "")
        if was_ended(ended) or is_full(job, ""):
            raise ended
        failure = app_failure(job, code, log_tail(job, after=start))
        if failure.failure_class is not FailureClass.APP_ERROR or not is_all_there(job, clone):
            raise failure
        log.warning("%s", failure.message.partition("\n")[0])


def app_failure(job: Job, code: int, said: list[str]) -> WorkflowFailure:
    """What an exit code other than 0 means, by what was said before it."""
    container = job.study.container
    if words := start_failure(job.runtime, code, said):
        return WorkflowFailure(
            f"{job.runtime.value} could not start {container.name} for {job.unit.name} on "
            f"node {node_name()}: {words}",
            hint="see that the image, and what is mounted, is there and complete on that node.",
            failure_class=FailureClass.NODE_FAILURE,
        )
    tail = "\n".join(f"    {line}" for line in said)
    # 137: the kernel's way to end what takes too much memory.
    killed = code in (137, -9)
    return WorkflowFailure(
        f"{container.name} failed for {job.unit.name} with exit code {code}. "
        f"Its last lines:\n{tail or '    (it said nothing)'}",
        hint=f"read {job.log_file or 'its output above'}, correct the cause and run snakemake "
        "again; the other subjects go on.",
        failure_class=FailureClass.OUT_OF_MEMORY if killed else FailureClass.APP_ERROR,
        exit_code=code,
    )


def save_outputs(job: Job, step: Step) -> None:
    """Take everything that the app wrote into git, once for all datasets."""
    if job.saved or not job.run:
        return
    clone = job.run.dataset
    if job.run.exit_code and job.study.container.archive:
        # The recorded command packs only what ended well.
        outputs = job.study.container.outputs
        call([PYTHON, "-I", str(clone / PACK), *outputs], cwd=clone)
    saved = stage_outputs(job, clone)
    if not saved.files:
        raise WorkflowFailure(
            f"{job.study.container.name} ended well for {job.unit.name} but wrote nothing to "
            f"{', '.join(job.study.container.outputs)}.",
            hint="check container.outputs and container.bids_args.",
            failure_class=FailureClass.APP_ERROR,
            exit_code=0,
        )
    job.saved = saved
    job.reasons = find_reasons(job, clone, saved.files, exit_code=job.run.exit_code)
    files = (clone / path for path in saved.files)
    job.output = {"files": len(saved.files), "bytes": content_size(files)}


def seal_part(job: Job, step: Step) -> None:
    """Commit what was written to an output that is a dataset of its own, and register it."""
    clone = step.cwd
    target = next(target for target in job.targets if target.path == step.argv[4])
    about = PART.format(job.prepared.dataset_id, target.path)
    message = f"{run_message(job)}\n\n{about}\n\n{trailers(job)}"
    if commit := commit_index(clone / target.path, job.bases[target.path], message):
        link = f"{SUBDATASET},{commit},{target.path}"
        call_git(["update-index", "--add", "--cacheinfo", link], cwd=clone)


def set_job_environment(job: Job, clone: Path) -> None:
    """Give this process, from now on, the variables that the app and its mounts need."""
    scratch = scratch_folder(clone)
    write_environment_file(job.study, job.runtime, scratch)
    os.environ.update(job_environment(job.study, job.runtime, scratch))
    # Python remembers the folder that it found first; DataLad makes `{tmpdir}` by it.
    tempfile.tempdir = None


def seal(job: Job, step: Step) -> None:
    """Commit the result with its run record: what was read, what exactly was written.

    The output folder as a whole was declared to DataLad.  The record names
    what this unit wrote, so that a rerun in the merged dataset leaves every
    other unit alone.
    """
    assert job.run and job.saved
    written = sorted({*job.saved.files, *filter(None, [filter_file(job)])})
    outputs = narrow(written, job.unit)
    message = job.run.commit_message(inputs=run_inputs(job), outputs=outputs)
    # With results of other studies, the commit that registers them comes before the run.
    registered = call_git(["rev-parse", "HEAD"], cwd=step.cwd) if job.study.produced_inputs else ""
    commit_index(step.cwd, registered or job.bases[""], f"{message}\n{trailers(job)}")


def trailers(job: Job) -> str:
    """What the end of a result's commit says of it."""
    return format_trailers(
        job.unit.name,
        job.fingerprint,
        expects=expects_digest(job.study.container),
        exit_code=job.run.exit_code if job.run else 0,
        reasons=job.reasons,
    )


def commit_index(place: Path, parent: str, message: str) -> str | None:
    """Commit a clone's index on its branch; None where it holds what the parent does.

    By plumbing: no hook, template or signature of anybody takes part.
    """
    tree = call_git(["write-tree"], cwd=place)
    if tree == root_tree(place, parent):
        return None
    commit = call_git(["commit-tree", tree, "-p", parent, "-F", "-"], cwd=place, stdin=message)
    call_git(["update-ref", "HEAD", commit], cwd=place)
    return commit


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
