"""Erase a subject: look, refuse, take out, report."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import FailureClass, WorkflowFailure
from ..base.files import write_text
from ..base.paths import is_run_locked
from ..base.text import a_few, printable
from ..config import Study
from ..datasets.branches import head_of, read_erased
from ..datasets.clones import pin_further, pin_input
from ..datasets.locks import exclusive, locked, wait_for_stores
from ..datasets.output_datasets import OutputDataset, list_outputs
from ..datasets.stores import REMOTE_MAIN, missing_keys
from ..merge.decisions import Found
from ..merge.merge import fetch_stores
from ..merge.publish import publish
from ..records.export_outcome import read_export_outcome
from ..records.prepared import require_prepared
from ..scheduling.in_progress import find_local, find_queued
from ..units.listing import cached_units, named_selection, subjects_of_patterns
from ..units.selection import why_not_chosen
from ..units.tree import read_root
from ..units.unit import GROUP
from .content import drop_content
from .leftovers import Leftovers, find_leftovers, remove_leftovers
from .person import Person
from .remains import (
    describe_remains,
    find_remains,
    list_clones,
    list_holders,
    named_repositories,
)
from .renewal import renewal_commands, write_renewed
from .take_out import Removal, delete_branches, list_branches, plan_removal, write_removal
from .traces import Traces, find_traces

NAMED = 8


@dataclass(frozen=True)
class Plan:
    """What there is of a subject, and what would go.

    `branches` are by dataset the units with one there; `holders` other
    repositories that have its content, with the number of files.
    """

    person: Person
    removal: Removal
    traces: Mapping[str, Traces]
    branches: Mapping[str, Sequence[str]]
    leftovers: Leftovers
    holders: Mapping[str, int]
    group: bool
    erased_before: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing left to take out."""
        keys = any(traces.keys for traces in self.traces.values())
        return not (self.removal.paths or keys or any(self.branches.values()) or self.leftovers.own)


def look_at_person(study: Study, person: Person) -> Plan:
    """What there is of a subject; nothing is changed in a store.

    Raises `WorkflowFailure` where it may not be erased now.
    """
    require_prepared(study)
    with undisturbed(study):
        refuse_processed(study, person)
        return make_plan(study, fetch_stores(study), person)


def erase_person(study: Study, person: Person) -> Plan:
    """Take a subject out of main, its content out of the stores, and its files off this machine.

    It may be called again after it was interrupted.

    Raises `WorkflowFailure` where it may not be erased now, or something of it stays.
    """
    require_prepared(study)
    with undisturbed(study):
        refuse_processed(study, person)
        wait_for_stores(study)
        found = fetch_stores(study)
        plan = make_plan(study, found, person)
        outputs = list_outputs(study)
        commits = write_removal(found, plan.removal, person)
        publish(found.places, commits, [])
        # Its branches lead to its content; they go when that is gone.
        for output in outputs:
            drop_content(plan.traces[output.path])
        for output in outputs:
            delete_branches(study, output, person)
        write_renewed(study, fetch_stores(study), plan.traces, person)
        remove_leftovers(study, person)
        write_text(study.files.renewal, "\n".join(renewal_commands(study, outputs)) + "\n")
        refuse_left(study, plan)
    return plan


@contextlib.contextmanager
def undisturbed(study: Study) -> Iterator[None]:
    """Keep merges and preparations away; raises `WorkflowFailure` where a job or one is at work."""
    work = [*find_local(study), *find_queued(study)]
    if work:
        named = a_few(sorted(w.unit for w in work), NAMED)
        raise WorkflowFailure(
            f"{len(work)} job(s) of study {study.name} run or wait: {named}.",
            hint="wait until they have ended, or cancel them; then erase again.",
        )
    folder = study.results.parents[1]
    if is_run_locked(folder):
        raise WorkflowFailure(
            f"A run of Snakemake is under way in {folder}.",
            hint="wait until it has ended; after a killed run, type: snakemake --unlock",
        )
    for path in filter(None, (study.lock_file, study.files.clones_lock)):
        refuse_locked(path)
    with locked(study.lock_file), exclusive(study):
        yield


def refuse_locked(path: Path) -> None:
    """Raise `WorkflowFailure` where somebody holds a lock file."""
    with contextlib.suppress(FileNotFoundError), path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkflowFailure(
                f"A merge, a preparation or a job holds the lock {path}.",
                hint="wait until it has ended, then erase again.",
            ) from None


def refuse_processed(study: Study, person: Person) -> None:
    """Raise `WorkflowFailure` where the next run would process the subject again."""
    label = person.subject.removeprefix("sub-")
    commit = pin_input(study)
    chosen = named_selection(study.selection)
    left_out = why_not_chosen(label, include=set(chosen.include), exclude=set(chosen.exclude))
    if person.subject in read_root(study.input, commit) and not left_out:
        raise WorkflowFailure(
            f"{person.subject} is still in the input {study.input_url} at {commit[:10]}; "
            "the next run would process it again.",
            hint=f'withdraw it from the input, or add "{label}" to subjects.exclude; '
            "then erase again.  With datalad.input_version, name a version without it.",
        )
    # Lists the units anew, so that no list of this study has it among them.
    further = pin_further(study, subjects_of_patterns(study, commit))
    with contextlib.suppress(WorkflowFailure):  # it may be the last subject
        cached_units(study, commit, further)


def make_plan(study: Study, found: Found, person: Person) -> Plan:
    """What there is of a subject in the stores and on this machine."""
    removal = plan_removal(study, found, person)
    outputs = list_outputs(study)
    traces = {o.path: find_traces(o, person, tree=removal.trees[o.path]) for o in outputs}
    branches = {
        o.path: sorted({u for heads in list_branches(study, o, person).values() for u in heads})
        for o in outputs
    }
    holders: dict[str, int] = {}
    for each in traces.values():
        for name, files in list_holders(each).items():
            holders[name] = holders.get(name, 0) + files
    return Plan(
        person,
        removal,
        traces,
        branches,
        find_leftovers(study, person),
        holders,
        group=GROUP in found.ledger,
        erased_before=person.subject in read_erased(outputs[-1].dataset, REMOTE_MAIN),
    )


def refuse_left(study: Study, plan: Plan) -> None:
    """Raise `WorkflowFailure` where something of the subject is left, or something of others went.

    What a command reported is not relied upon: the stores are asked again.
    """
    for output in list_outputs(study):
        traces = plan.traces[output.path]
        if lost := missing_keys(output.store, traces.shared, dataset=output.dataset):
            raise WorkflowFailure(
                f"{len(lost)} annexed file(s) that others use are missing in {output.store.url}: "
                + a_few(sorted(lost), 3),
                hint="bring them back from another copy; git annex whereis --key KEY names any.",
                failure_class=FailureClass.STORE_UNAVAILABLE,
            )
        left = {
            unit for heads in list_branches(study, output, plan.person).values() for unit in heads
        }
        if left:
            raise WorkflowFailure(
                f"Branches of {a_few(sorted(left), NAMED)} are still in {output.store.url}.",
                hint="see that no job pushes there, then erase again.",
            )


def describe_plan(study: Study, plan: Plan) -> Iterator[str]:
    """What would go, or went, in lines for the terminal."""
    removal = plan.removal
    units = f" (units: {a_few(removal.units, NAMED)})" if removal.units else ""
    yield f"main: {len(removal.paths)} file(s) or folder(s){units}"
    yield from (f"  {printable(path)}" for path in removal.paths[:NAMED])
    if len(removal.paths) > NAMED:
        yield f"  and {len(removal.paths) - NAMED} more"
    for output in list_outputs(study):
        traces = plan.traces[output.path]
        yield (
            f"{output.store.url}: {len(traces.keys)} annexed file(s), {traces.bytes / 1e6:.1f} MB"
            + (f"; {len(traces.shared)} more stay, others have the same" if traces.shared else "")
        )
        if plan.branches[output.path]:
            yield f"  branches of {a_few(plan.branches[output.path], NAMED)}"
    own = plan.leftovers.own
    yield f"this machine: {len(own)} file(s) and folder(s) of logs, records and copies"
    yield from (f"  {path}" for path in own[:NAMED])
    if plan.leftovers.logs:
        yield f"  lines that name it in {a_few([p.name for p in plan.leftovers.logs], NAMED)}"


def describe_rest(study: Study, plan: Plan) -> Iterator[str]:
    """What still names the subject, or depends on it, and what to do about it."""
    person, outputs = plan.person, list_outputs(study)
    if plan.group:
        yield "The group's results were computed with this subject among others:"
        yield "  the next run computes them again; until then they stay in main."
    if plan.removal.registered:
        yield (
            f"Datasets that main registers under its name: {a_few(plan.removal.registered, NAMED)}"
        )
        yield "  they belong to the input; withdraw them there."
    if plan.holders:
        yield "Other repositories have content of it, by git-annex' notes; remove it there, too:"
        yield from (f"  {name}: {files} file(s)" for name, files in sorted(plan.holders.items()))
    exported = read_export_outcome(study)
    if exported or study.export.to or study.export.remote:
        yield "What was exported (section export) may hold it: snakemake --cores 1 export"
    lines = list(describe_history(outputs, person))
    if lines:
        yield "The history still names it:"
        yield from (f"  {line}" for line in lines)
    clones = sorted({name for output in outputs for name in list_clones(output)})
    if clones:
        yield f"Clones that git-annex knows of, which have this history: {a_few(clones, NAMED)}"
    yield "The input, its history and its clones were not touched."
    yield f"Snakemake's own notes may name it: rm -r '{study.results.parents[1]}/.snakemake'"
    lists = find_leftovers(study, person).lists
    if lists:
        yield f"Other notes that name it: {a_few([str(path) for path in lists], NAMED)}"
    yield "To make the stores anew without this history, while nothing of the study runs:"
    yield f"  sh '{study.files.renewal}'"


def describe_history(outputs: Sequence[OutputDataset], person: Person) -> Iterator[str]:
    """What each repository still has of a subject in its history."""
    for repository, main in named_repositories(outputs):
        if head_of(repository, main):
            said = list(describe_remains(find_remains(repository, person, main=main)))
            if said:
                yield f"{repository}:"
                yield from (f"  {line}" for line in said)
