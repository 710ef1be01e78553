"""What a job reads of other studies' results: which commits, and their registration.

The results are looked up when the job starts: the jobs that made them may have
ended a moment ago, and their studies may or may not have merged them since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..base.errors import FailureClass, WorkflowFailure
from ..base.runners import Step, call_git, call_git_success
from ..config import Study
from ..config.study import FurtherInput
from ..datasets.annex import annexed_keys
from ..datasets.branches import BranchKind, branch_name, is_ancestor
from ..datasets.pushes import outlive_locks
from ..datasets.result_trees import fetch_commits, join_commits
from ..datasets.stores import MAIN, Store, StoreKind, list_remote_heads, store_uuid
from ..records.prepared import Prepared
from ..records.produced import recorded_result, wait_for
from ..units.further_inputs import read_entries, take_of_unit
from ..units.offers import Offer, read_offers
from ..units.produced_files import content_store, digest_results, mark_of, producer_of, read_parts
from ..units.unit import Unit
from .unit_job import Job, Source

# $1: a path, $2: the commit of a result that is registered there.
REGISTER = """\
git update-index --add --cacheinfo "160000,$2,$1" &&
{ git diff --cached --quiet || git commit -q --no-verify -m "Register what is read at $1"; }
"""
# $1: the id of the store that has the content, $@: keys.
PRESENT = """\
store=$1
shift
for key do printf '%s %s 1\\n' "$key" "$store"; done | git annex setpresentkey -q --batch
"""


def join_results(study: Study, unit: Unit, prepared: Prepared) -> tuple[Unit, Prepared]:
    """A unit with what it reads of other studies' results, and the commits that it reads.

    Raises `WorkflowFailure` where one of the results is not there.
    """
    commits = dict(prepared.further_commits)
    offers = read_offers(study)
    for further in study.produced_inputs:
        offer = offers.get(further.path, Offer(live=False))
        if not offer.behind(unit):
            continue
        results = find_results(study, further, offer, unit)
        digests = digest_results(further, results.items())
        mark = mark_of(unit, results, digests)
        unit = replace(unit, further=(*unit.further, (further.path, mark)))
        commit = choose_commit(study, further, unit, list(results.values()))
        check_part(further, commit, unit)
        commits[further.path] = commit
    return unit, replace(prepared, further_commits=commits)


def find_results(study: Study, further: FurtherInput, offer: Offer, unit: Unit) -> dict[str, str]:
    """The results that a unit reads of a further input, with their commits."""
    producer, found = producer_of(further), {}
    for name, known in offer.results_behind(further, unit).items():
        commit, why = recorded_result(producer, name) if offer.live else ("", "")
        found[name] = commit or ("" if why else known)
        if not found[name]:
            raise WorkflowFailure(
                f"{unit.name} {wait_for(name, producer, why or 'has no result')}.",
                hint=f"see the report of study {producer.name}, "
                f"{producer.files.report_page}; then start snakemake again.",
                failure_class=FailureClass.WAITS,
            )
    return found


def choose_commit(study: Study, further: FurtherInput, unit: Unit, results: list[str]) -> str:
    """The commit of an input that a job reads; the study's own clone has it afterwards.

    Of several results (one of each session), that is main where it holds all
    of them, else a commit that joins them, on a branch of the store.
    """
    store, parts = content_store(further), list(read_parts(further, results).values())
    if not parts:
        raise WorkflowFailure(
            f"{unit.name} reads {further.path}, but study {producer_of(further).name} wrote "
            "nothing there.",
            hint="name another output, or set required: false.",
            failure_class=FailureClass.WAITS,
        )
    fetch_commits(further.clone, store.git_url, parts)
    if len(parts) == 1:
        return parts[0]
    main = list_remote_heads(store, f"refs/heads/{MAIN}").get(MAIN, "")
    fetch_commits(further.clone, store.git_url, [main] if main else [])
    if main and all(holds(further, main, part, unit) for part in parts):
        return main
    joined = join_commits(
        further.clone, parts, further.folder, f"Join {len(parts)} results of sub-{unit.subject}"
    )
    publish_joined(further, store, joined, unit)
    return joined


def check_part(further: FurtherInput, commit: str, unit: Unit) -> None:
    """Raise `WorkflowFailure` where a required result has no folder of the unit's subject."""
    if further.shared or not further.required:
        return
    here = further.at_session(unit.session)
    exists = call_git_success(["rev-parse", "--verify", "-q", here.tree(commit)], cwd=here.clone)
    if exists and take_of_unit(here, commit, unit).own:
        return
    raise WorkflowFailure(
        f"The result that {unit.name} reads of study {producer_of(further).name} has no folder "
        f"sub-{unit.subject} in {here.folder or 'its root'}.",
        hint="set folder of this entry of datalad.inputs, where subjects' folders lie deeper; or "
        "shared_paths, where they have other names.",
        failure_class=FailureClass.WAITS,
    )


def holds(further: FurtherInput, main: str, part: str, unit: Unit) -> bool:
    """True where main has a result in its history, and its subject's files as that has them."""
    if not is_ancestor(further.clone, part, main):
        return False
    folder = f"sub-{unit.subject}/"
    tree = f":{further.folder}" if further.folder else ""
    there = {(e.path, e.object_id) for e in read_entries(further.clone, f"{main}{tree}", [folder])}
    own = {(e.path, e.object_id) for e in read_entries(further.clone, f"{part}{tree}", [folder])}
    return own <= there


def publish_joined(further: FurtherInput, store: Store, commit: str, unit: Unit) -> None:
    """Push a commit that joins results to their store; its study's merge makes it part of main."""
    app, name = producer_of(further).app, f"sub-{unit.subject}"
    branch = branch_name(app, name, BranchKind.JOINED)
    push = ["push", "-q", "--force", store.git_url, f"{commit}:refs/heads/{branch}"]
    outlive_locks(lambda: call_git(push, cwd=further.clone))


def register_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The results that are read, registered in the job's branch before the run."""
    for further, source in produced_sources(job):
        command = ["sh", "-c", REGISTER, "register", further.path, source.commit]
        yield Step("clone", command, clone)


def present_steps(job: Job, clone: Path, source: Source) -> Iterator[Step]:
    """Notes for git-annex that content is in the store: no log says so before the merge."""
    for further, known in produced_sources(job):
        if known is source and (keys := annexed_keys(source.clone, source.commit, source.paths)):
            uuid = content_uuid(further)
            command = ["sh", "-c", PRESENT, "present", uuid, *keys]
            yield Step("structure", command, clone / source.path)


def content_uuid(further: FurtherInput) -> str:
    """The annex UUID of the store that has an input's content."""
    store = content_store(further)
    if store.kind is StoreKind.OTHER:
        return call_git(["config", "remote.origin.annex-uuid"], cwd=further.clone)
    return store_uuid(store, further.clone)


def produced_sources(job: Job) -> Iterator[tuple[FurtherInput, Source]]:
    """The inputs of a job that are results of other studies."""
    known = {source.path: source for source in job.sources}
    for further in job.study.produced_inputs:
        if further.path in known:
            yield further, known[further.path]


def read_commits(job: Job) -> Mapping[str, str]:
    """Path -> commit of the other studies' results that a job reads."""
    return {further.path: source.commit for further, source in produced_sources(job)}
