"""The app's run in a job: `datalad containers-run`, and its run record."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import Step, call_git, call_git_records, node_name, run_in_container
from ..containers.runtimes import job_environment, scratch_folder, start_failure
from ..datasets.branches import FINGERPRINT_TRAILER, UNIT_TRAILER
from ..units.unit import Unit
from .app_command import app_command, filter_file
from .failures import is_full, log_size, log_tail, was_ended
from .measure import content_size, observed
from .steps import run_inputs, run_message, run_outputs
from .unit_job import Job


def run_app(job: Job, step: Step) -> None:
    """`datalad containers-run`, in the environment that this process has.

    Raises `WorkflowFailure` where the app failed or wrote nothing, and
    `CommandError` where it was ended, or where DataLad failed.
    """
    clone, container = step.cwd, job.study.container
    job_start = log_size(job)
    try:
        with observed(job):
            run_in_container(
                dataset=clone,
                container=container.name,
                command=app_command(job),
                outputs=run_outputs(job),
                message=run_message(job),
            )
    except CommandError as e:
        if e.exit_code < 0 or was_ended(e) or is_full(job, e.stderr):
            raise
        said = log_tail(job, after=job_start)
        if words := start_failure(job.runtime, e.exit_code, said):
            raise WorkflowFailure(
                f"{job.runtime.value} could not start {container.name} for {job.unit.name} on "
                f"node {node_name()}: {words}",
                hint="check that the image and all mounts exist on that node, complete.",
                failure_class=FailureClass.NODE_FAILURE,
            ) from e
        tail = "\n".join(f"    {line}" for line in said)
        # 137: the kernel's way to end what takes too much memory.
        killed = e.exit_code in (137, -9)
        raise WorkflowFailure(
            f"{container.name} failed for {job.unit.name} with exit code {e.exit_code}. "
            f"Its last lines:\n{tail or '    (it said nothing)'}",
            hint=f"read {job.log_file or 'its output above'}, remove the cause and run snakemake "
            "again; the other subjects go on.",
            failure_class=FailureClass.OUT_OF_MEMORY if killed else FailureClass.APP_ERROR,
            exit_code=e.exit_code,
        ) from e
    if not set(written_files(job, clone)) - {filter_file(job)}:
        raise WorkflowFailure(
            f"{container.name} ended well for {job.unit.name} but wrote nothing to "
            f"{', '.join(container.outputs)}.",
            hint="check container.outputs and container.bids_args.",
            failure_class=FailureClass.APP_ERROR,
            exit_code=0,
        )


def set_job_environment(job: Job, clone: Path) -> None:
    """Give this process, from now on, the variables that the app and its mounts need."""
    os.environ.update(job_environment(job.study, job.runtime, scratch_folder(clone)))


def written_files(job: Job, clone: Path) -> list[str]:
    """Files that the run committed, relative to the output dataset; none without a commit."""
    files: list[str] = []
    parts = {target.path for target in job.targets}
    for target in job.targets:
        command = ["diff-tree", "-r", "-z", "--name-only", job.bases[target.path], "HEAD"]
        files += map(target.outside, call_git_records(command, cwd=clone / target.path))
    return [path for path in files if path not in parts]


def seal(job: Job, step: Step) -> None:
    """Amend the run record: what was read, what exactly was written, and the trailers.

    The complete output folder was declared to DataLad, so that nothing the app
    wrote is lost.  The record names what this unit wrote, so that a rerun in
    the merged dataset does not touch any other unit.
    """
    clone = step.cwd
    written = written_files(job, clone)
    job.output = {"files": len(written), "bytes": content_size(clone / path for path in written)}
    message = call_git(["log", "-1", "--format=%B"], cwd=clone)
    start = message.index("\n{", message.index("=== Do not change lines below ==="))
    end = message.index("\n^^^ Do not change lines above ^^^")
    record = json.loads(message[start:end])
    record["inputs"] = run_inputs(job)
    record["outputs"] = narrow(written, job.unit)
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    trailers = f"{UNIT_TRAILER}: {job.unit.name}\n{FINGERPRINT_TRAILER}: {job.fingerprint}\n"
    call_git(
        ["commit", "-q", "--amend", "--no-verify", "--cleanup=verbatim", "-F", "-"],
        cwd=clone,
        stdin=f"{message[:start]}\n{text}{message[end:].rstrip()}\n\n{trailers}",
    )


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
