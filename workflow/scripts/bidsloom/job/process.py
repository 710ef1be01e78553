"""One unit, from clone to push.

`clone_steps` and `steps` list the commands.  This module carries them out,
measures their time, and raises their failures with a class and a hint.

    look     is the unit's result in the output store already?
    clone    the study dataset, into a private folder of this job
    structure  the input's tree for this unit, without data
    install  the unit's datasets in the input, if it has any, without data
    branch   of the job
    inputs   the unit's files, and those it inherits
    run      the app, by `datalad containers-run`
    push     content first, then the branch that announces it
    clean up, however the job ends
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ..base.credentials import access_hint
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.paths import COMMAND
from ..base.patience import outlast, patient
from ..base.runners import (
    Step,
    call,
    call_git,
    call_git_success,
    end_children,
    node_name,
    scheduler_job_id,
)
from ..base.text import a_few
from ..checks.at_start import checks_on_machine
from ..checks.findings import failures, run_checks
from ..checks.machine import check_modules
from ..datasets.branches import Result, read_results
from ..datasets.locks import locked
from ..datasets.pushes import outlive_locks
from ..datasets.stores import last_line
from ..records.attempts import Attempt, add_attempt, read_attempts
from ..records.cancellations import read_cancellation
from ..records.evidence import remove_evidence
from ..records.job_record import JobRecord, write_record
from ..units.completeness import is_accepted
from .clone_steps import clone_steps
from .failures import as_failure, is_full, keep_what_it_left, log_tail, no_space, was_ended
from .find_result import fetch_result, find_merged_meanwhile, read_seen
from .inputs import get_inputs
from .measure import closing_facts, used_space
from .part_steps import install_part
from .produced import read_commits
from .run_app import run_app, save_outputs, seal, seal_part, set_job_environment
from .scratch import JobFolder, open_folder, sweep
from .steps import STORE_CONTENT, compute_steps, push_steps
from .unit_job import Job, Saved

log = logging.getLogger(__name__)

# Steps that need a server, which may be away for a while.
BY_SERVERS = ("install", "inputs", "push_content", "push_branch")
PUSH_TRIES = 4
PUSH_WAIT_SECONDS = 5.0


def process_unit(job: Job) -> JobRecord:
    """Compute one unit, push it and write its record, which is returned.

    Raises `WorkflowFailure` with the failure's class where there is no result;
    the attempt is then written to `results/<study>/attempts/`.
    """
    study, unit = job.study, job.unit.name
    facts: dict[str, Any] = {
        "fingerprint": job.fingerprint,
        "input_commit": job.prepared.input_commit,
        "read": read_commits(job),
        "container_key": job.prepared.container_key,
        "start": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": node_name(),
        "scheduler_job_id": scheduler_job_id(),
        "attempt": len(read_attempts(study, unit)) + 1,
        "requested": job.requested,
    }
    try:
        refuse_cancelled(job)
        check_node(job)
        sign_as_prepared(job)
        with patient(study.wait_minutes):
            result, reused = find_or_compute(job)
        refuse_incomplete(job, result)
    except BaseException as e:
        failure = as_failure(job, e)
        facts |= {**closing_facts(job), "log": tuple(log_tail(job))}
        cancellation = read_cancellation(study, unit)
        if cancellation and failure.failure_class is FailureClass.CANCELLED:
            told = cancellation.as_failure(unit)
            add_attempt(study, Attempt.of(unit, told, **facts, on_purpose=True))
        else:
            add_attempt(study, Attempt.of(unit, failure, **facts))
        raise failure from e
    saved = job.saved or Saved()
    record = JobRecord(
        unit=unit,
        **facts,
        **closing_facts(job),
        branch=job.branch,
        commit=result.commit,
        reused=reused,
        incomplete=result.reasons,
        left_out=saved.left_out,
        notes=tuple(saved.notes),
    )
    write_record(study, record)
    remove_evidence(study, [unit])
    return record


def refuse_cancelled(job: Job) -> None:
    """Refuse a unit that was cancelled on purpose, unless it is processed by hand."""
    cancellation = read_cancellation(job.study, job.unit.name)
    if cancellation and not job.by_hand:
        raise cancellation.as_failure(job.unit.name)


def sign_as_prepared(job: Job) -> None:
    """Sign with the name of who prepared the study, on a node where git knows no other."""
    identity = job.prepared.identity
    if identity and not call_git_success(["config", "user.email"], cwd=Path("/")):
        for variable, value in zip(("NAME", "EMAIL"), identity, strict=True):
            for who in ("AUTHOR", "COMMITTER"):
                os.environ.setdefault(f"GIT_{who}_{variable}", value)


def check_node(job: Job) -> None:
    """Refuse a node that lacks a program (another node may have it) or a module."""
    for failure in failures(run_checks(checks_on_machine(job.study, job.runtime))):
        raise WorkflowFailure(
            f"On node {node_name()}: {failure.message}",
            hint=failure.hint,
            failure_class=FailureClass.NODE_FAILURE,
        ) from failure
    check_modules(job.study)


def refuse_incomplete(job: Job, result: Result) -> None:
    """Refuse an incomplete result where the study asks to compute it again; its branch stays."""
    retry = job.study.container.on_incomplete == "retry"
    if result.reasons and retry and not is_accepted(job.study.selection, job.unit.name):
        raise WorkflowFailure(
            f"The result of {job.unit.name} is not complete: {a_few(result.reasons, 3)}.",
            hint=f"it is kept on the branch {job.branch}; to merge it as it is: "
            f"{COMMAND.format('accept')} {job.unit.name}",
            failure_class=FailureClass.INCOMPLETE,
        )


def find_or_compute(job: Job) -> tuple[Result, bool]:
    """The unit's result, and whether it was there before."""
    with timed(job, "look"):
        job.seen = read_seen(job)
        done = fetch_result(job)
    if done:
        log.info("%s is in the output store already: %s", job.unit.name, done.commit)
        return done, True
    # A clone that lost its job before the push has the result: push that.
    folder = sweep(job.study, job.unit.name, fingerprint=job.fingerprint, base=job.bases[""])
    computed = folder is not None
    folder = folder or open_folder(job.study, job.unit.name)
    keep = False
    try:
        if computed:
            log.info("an earlier attempt at %s left its result in %s", job.unit.name, folder.path)
        else:
            compute(job, folder)
        head = call_git(["rev-parse", "HEAD"], cwd=folder.clone)
        (result,) = read_results(folder.clone, [head])
        job.reasons = result.reasons
        winner = push_result(job, folder.clone, result)
        with timed(job, "clean_up"):
            job.peak["scratch_mb"] = used_space(folder.path) / 2**20
    except BaseException as e:
        # What was computed is not computed again because a disk was full.
        pushing = isinstance(e, WorkflowFailure) and folder.state() is not None
        if "run" in job.seconds and folder.state() is None:
            end_children()
            keep_what_it_left(job, folder.clone, e)
        keep = pushing or (job.study.keep_failed and isinstance(e, Exception))
        if keep:
            log.warning("the clone is kept: %s", folder.path)
        raise
    finally:
        end_children()
        with timed(job, "clean_up"):
            folder.close(keep=keep)
    return winner, winner != result


def compute(job: Job, folder: JobFolder) -> None:
    """Everything up to the commit with the unit's results."""
    work(job, clone_steps(job, folder.clone))
    crippled = call_git(
        ["config", "--default", "false", "annex.crippledfilesystem"], cwd=folder.clone
    )
    if crippled == "true":
        raise WorkflowFailure(
            f"common.work_dir {job.study.work_dir} is on a file system without symbolic links.",
            hint="name a folder on another disk.",
        )
    work(job, compute_steps(job, folder.clone))
    folder.write_state({"fingerprint": job.fingerprint, "base": job.bases[""]})


def work(job: Job, steps: Iterable[Step]) -> None:
    """Carry out steps in order; raises a failure that says what could not be done."""
    with_care: dict[str, Callable[[Job, Step], object]] = {
        "install": install_part,
        "inputs": get_inputs,
        "run": run_in_job_environment,
        "save": save_outputs,
        "seal_part": seal_part,
        "seal": seal,
        "name_store": name_store,
        "push_branch": push_branch,
    }
    stores = " or ".join(target.store.url for target in reversed(job.targets))
    meanings = {
        "inputs": (FailureClass.INPUT_UNAVAILABLE, "get its inputs"),
        "name_store": (FailureClass.STORE_UNAVAILABLE, f"reach {stores}"),
        "push_content": (FailureClass.STORE_UNAVAILABLE, f"push content to {stores}"),
        "push_branch": (FailureClass.STORE_UNAVAILABLE, f"push its branch to {stores}"),
    }
    for step in steps:
        log.info("%s: %s", step.name, step)
        guarded = step.name in ("clone", "push_branch")
        with locked(job.study.lock_file if guarded else None) as waited, timed(job, step.name):
            job.seconds["lock_wait"] = job.seconds.get("lock_wait", 0.0) + waited
            try:
                act = with_care.get(step.name, carry_out)
                if step.name in BY_SERVERS:
                    outlast(partial(act, job, step))
                else:
                    act(job, step)
            except CommandError as e:
                log.error("%s", e.stderr.strip())
                if was_ended(e):
                    raise
                if is_full(job, e.stderr):
                    raise no_space(job, pushing=step.name.startswith("push")) from e
                failure_class, what = meanings.get(
                    step.name, (FailureClass.BAD_CONFIG, f"take the step `{step.name}`")
                )
                asked = job.targets[-1].store.git_url
                raise WorkflowFailure(
                    f"{job.unit.name} could not {what}: {last_line(e.stderr)}",
                    hint=access_hint(asked, e.stderr)
                    or "see the log; run snakemake again once the cause is gone.",
                    failure_class=failure_class,
                ) from e


def carry_out(job: Job, step: Step) -> None:
    """Run a step's command."""
    call(step.argv, cwd=step.cwd)


@contextlib.contextmanager
def timed(job: Job, name: str) -> Iterator[None]:
    """Add the time of a block to the job's seconds."""
    start = time.monotonic()
    try:
        yield
    finally:
        job.seconds[name] = job.seconds.get(name, 0.0) + time.monotonic() - start


def run_in_job_environment(job: Job, step: Step) -> None:
    """Run the app; the steps after it keep its environment."""
    set_job_environment(job, step.cwd)
    run_app(job, step)


def name_store(job: Job, step: Step) -> None:
    """Make the special remote onto the store, unless an earlier attempt at the push did."""
    setting = ["config", f"remote.{STORE_CONTENT}.annex-directory"]
    if not call_git_success(setting, cwd=step.cwd):
        call(step.argv, cwd=step.cwd)


def push_branch(job: Job, step: Step) -> None:
    """Announce the result, waiting out what a killed push left in the store."""
    outlive_locks(lambda: call(step.argv, cwd=step.cwd))


def push_result(job: Job, clone: Path, result: Result) -> Result:
    """Push content and branch, with retries; returns the result that the store has then.

    Where another job of the same unit was faster, its result stands, also
    where it is merged by now: a job may sleep for as long as its node is suspended.
    """
    for attempt in range(1, PUSH_TRIES + 1):
        try:
            merged = None
            with contextlib.suppress(WorkflowFailure, CommandError, OSError):
                merged = find_merged_meanwhile(job)
            if merged:
                log.info("another job's %s is merged: %s", job.unit.name, merged.commit)
                return merged
            work(job, push_steps(job, clone))
            return result
        except WorkflowFailure as failure:
            before = job.seen
            with contextlib.suppress(WorkflowFailure, CommandError):
                job.seen = read_seen(job)
                if winner := fetch_result(job):
                    log.info("another job finished %s first: %s", job.unit.name, winner.commit)
                    return winner
                if job.seen != before:
                    log.info("%s moved on; it is replaced", job.branch)
            if attempt == PUSH_TRIES:
                raise
            wait = PUSH_WAIT_SECONDS * 2 ** (attempt - 1)
            log.warning("%s; trying again in %.0f s", failure.message, wait)
            with timed(job, "push_wait"):
                time.sleep(wait)
    raise AssertionError("unreachable")
