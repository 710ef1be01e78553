"""Find the result of a job's unit in the output store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..base.runners import call_git, call_git_success
from ..config import Study
from ..datasets.branches import (
    RESULT_BRANCHES,
    BranchKind,
    Result,
    branch_name,
    head_of,
    read_ledger,
    read_results,
)
from ..datasets.output_datasets import OutputDataset, main_output, owner_of
from ..datasets.stores import MAIN, REMOTE, list_remote_heads
from ..datasets.unit_results import read_unit_results
from .app_command import result_path
from .unit_job import Job

log = logging.getLogger(__name__)


def read_seen(job: Job) -> dict[BranchKind, dict[str, str | None]]:
    """The commits of the unit's branches in the stores, by the path of each dataset."""
    app, unit = job.study.container.name, job.unit.name
    names = {kind: branch_name(app, unit, kind) for kind in RESULT_BRANCHES}
    return {
        kind: {t.path: list_remote_heads(t.store, f"refs/heads/{n}").get(n) for t in job.targets}
        for kind, n in names.items()
    }


def fetch_result(job: Job) -> Result | None:
    """The unit's finished result in the output store, if its content is there too.

    What is not on this machine is fetched into the study's clones.  An
    incomplete result counts, unless the study asks to compute it again.
    """
    repositories = {t.path: t.store.repository or t.dataset for t in job.targets}
    if found := fetch_branch(job, BranchKind.JOB, repositories):
        return found
    if not job.seen[BranchKind.JOB][""] and (merged := find_merged(job, repositories)):
        return merged
    if job.study.container.on_incomplete == "retry" and not job.reasons:
        return None
    return fetch_branch(job, BranchKind.INCOMPLETE, repositories)


def fetch_branch(job: Job, kind: BranchKind, repositories: Mapping[str, Path]) -> Result | None:
    """The unit's result on a branch, if it is what is asked for and its content is there."""
    seen = job.seen[kind]
    ref = f"refs/heads/{branch_name(job.study.container.name, job.unit.name, kind)}"
    commit = seen[""]
    if commit is None:
        return None
    for target in job.targets:
        if target.store.repository is None and seen[target.path]:
            call_git(
                ["fetch", "-q", "--no-tags", "--no-write-fetch-head", target.store.git_url, ref],
                cwd=target.dataset,
            )
    results = read_results(repositories[""], [commit])
    if not results or results[0].fingerprint != job.fingerprint:
        return None
    heads = {path: {head} if head else set() for path, head in seen.items()}
    (found,) = read_unit_results(job.targets, results, repositories=repositories, heads=heads)
    if found.missing:
        log.warning("%s is incomplete (%s); computing again", ref, found.missing)
        return None
    return found.result


def find_merged(job: Job, repositories: Mapping[str, Path]) -> Result | None:
    """The unit's result if main holds it already, under the same fingerprint."""
    # Snakemake has read main's whole history; its jobs do so only where
    # another run may have merged the unit since.
    path = result_path(job.study.container, job.unit)
    holder = owner_of(path, job.targets)
    place = f"{find_main(holder)}:{holder.inside(path)}"
    there = call_git_success(["rev-parse", "--verify", "-q", place], cwd=repositories[holder.path])
    if not (there or job.by_hand):
        return None
    main = find_main(job.targets[-1])
    result = read_ledger(repositories[""], main).get(job.unit.name)
    return result if result and result.fingerprint == job.fingerprint else None


def find_main(target: OutputDataset) -> str:
    """The main branch of a dataset's store; fetched where it moved on and is not on this machine.

    Raises `WorkflowFailure` or `CommandError` where the store cannot be read.
    """
    if target.store.repository:
        return MAIN
    ref = f"refs/heads/{MAIN}"
    commit = list_remote_heads(target.store, ref).get(MAIN)
    if commit is None:
        return f"refs/remotes/{REMOTE}/{MAIN}"
    if not call_git_success(["cat-file", "-e", commit], cwd=target.dataset):
        fetch = ["fetch", "-q", "--no-tags", "--no-write-fetch-head", target.store.git_url, ref]
        call_git(fetch, cwd=target.dataset)
    return commit


def find_merged_meanwhile(job: Job) -> Result | None:
    """The result in main that makes the job's own superfluous: another run may have merged one.

    A complete result is never superfluous where main holds one that is not.
    """
    repositories = {t.path: t.store.repository or t.dataset for t in job.targets}
    merged = find_merged(job, repositories)
    return merged if merged and (job.reasons or not merged.reasons) else None


def find_stored(study: Study, units: Iterable[str]) -> set[tuple[str, str]]:
    """The results of some units that a branch or main holds, as unit and fingerprint.

    Of a store that is not mounted, as it was when it was fetched last.
    """
    output = main_output(study)
    repository = output.store.repository or output.dataset
    prefix = "refs/heads/" if output.store.repository else f"refs/remotes/{REMOTE}/"
    app, units = study.container.name, set(units)
    branches = [branch_name(app, unit, kind) for unit in units for kind in RESULT_BRANCHES]
    heads = [head_of(repository, f"{prefix}{branch}") for branch in branches]
    ledger = read_ledger(repository, f"{prefix}{MAIN}")
    merged = [result for unit, result in ledger.items() if unit in units]
    found = [*read_results(repository, filter(None, heads)), *merged]
    return {(result.unit, result.fingerprint) for result in found}
