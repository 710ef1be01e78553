"""The studies of a chain in Snakemake's main process: opened in order, concluded in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import CommandError, ConfigFailure, WorkflowFailure, refuse
from ..checks.findings import Finding
from ..config import Study
from ..config.places import normal_url
from ..main_process.ending import conclude_run, describe_check
from ..merge.merge import merge_branches
from ..records.open_study import OpenStudy
from ..reporting.notifications import Addresses
from ..reporting.unit_states import collect_rows, refuse_unsettled
from .chain_faults import needs_of
from .chain_file import Chain, Step, label
from .overview import write_overview


@dataclass
class RunningStep:
    """A study of a chain in Snakemake; in the process of a job it is not opened.

    `needs` are the studies of the chain whose results it reads.  `result_files`
    is unit -> the file that says so when its result is there, of those that
    are due; `whole` returns all that its rules are to make, `checks` are the
    files of its checks.
    """

    study: Study
    config: Mapping[str, Any]
    prefix: str
    dataset: str
    needs: tuple[str, ...]
    opened: OpenStudy | None = None
    addresses: Addresses = field(default_factory=Addresses)
    result_files: Mapping[str, str] = field(default_factory=dict)
    whole: Callable[[object], Sequence[str]] = lambda wildcards: ()
    checks: Sequence[str] = ()

    @classmethod
    def of(cls, step: Step) -> RunningStep:
        """A step that is not opened yet."""
        needs = tuple(sorted(needs_of(step.study)))
        return cls(step.study, step.config, step.prefix, step.dataset, needs)

    @property
    def merged_file(self) -> str:
        """What says that all of the study is merged, as rules write it."""
        group = "group_" if self.study.container.group_level else ""
        return f"results/{self.study.name}/{group}merged.txt"


def running_steps(chain: Chain) -> dict[str, RunningStep]:
    """The studies of a chain by name, not opened."""
    return {step.name: RunningStep.of(step) for step in chain.steps}


def open_chain(
    chain: Chain,
    *,
    look: Callable[[Study, Mapping[str, Any], dict[str, OpenStudy]], OpenStudy],
    addresses: Callable[[Study], Addresses],
    refused: dict[str, Sequence[WorkflowFailure]],
) -> dict[str, RunningStep]:
    """The studies of a chain by name, each opened after those whose results it reads.

    `look` opens a study beside those that run with it, `addresses` says whom
    its messages go to.  What is wrong with a dataset is added to `refused`, and
    its studies are left out.

    Raises `WorkflowFailure` where something is wrong with a chain without datasets.
    """
    running = running_steps(chain)
    for dataset in dict.fromkeys(step.dataset for step in running.values()):
        steps = {name: step for name, step in running.items() if step.dataset == dataset}
        try:
            for name, step in steps.items():
                together = {n: s.opened for n, s in steps.items() if s.opened}
                with placed(name):
                    step.addresses = addresses(step.study)
                    step.opened = look(step.study, step.config, together)
            refuse(find_commits(steps.values()))
        except WorkflowFailure as e:
            if not dataset:
                raise
            refused[dataset] = e.problems if isinstance(e, ConfigFailure) else [e]
    return {name: step for name, step in running.items() if step.dataset not in refused}


@contextlib.contextmanager
def placed(name: str) -> Iterator[None]:
    """Failures of the block name the study that they are of."""
    try:
        yield
    except ConfigFailure as e:
        raise ConfigFailure([label(problem, name) for problem in e.problems]) from e
    except WorkflowFailure as e:
        raise label(e, name) from e


def find_commits(steps: Iterable[RunningStep]) -> Iterator[WorkflowFailure]:
    """Datasets that two studies read at different commits: each pinned its own some day."""
    seen: dict[str, tuple[str, str]] = {}
    for step in steps:
        if not step.opened:
            continue
        study = step.study
        read = [(study.input_url, step.opened.units.commit)]
        read += [
            (further.url, step.opened.further[further.path])
            for further in study.further_inputs
            if further.path in step.opened.further
        ]
        for url, commit in read:
            other, known = seen.setdefault(normal_url(url), (study.name, commit))
            if known != commit:
                yield WorkflowFailure(
                    f"{other} and {study.name} read {url} at different commits, {known[:10]} and "
                    f"{commit[:10]}: it moved on between their first starts.",
                    hint=f"name one commit in both (datalad.input_version: {commit}).",
                )


def conclude_chain(
    chain: Chain,
    steps: Mapping[str, RunningStep],
    *,
    success: bool,
    complete: bool,
    logs: Sequence[str],
    refused: Mapping[str, Sequence[WorkflowFailure]],
) -> Iterator[str]:
    """Conclude each study as a run of its own, in order; then the overview.

    A study all of whose units are settled went well, whatever became of others.

    Raises `WorkflowFailure` in the end where Snakemake is content, and units
    or datasets are left.
    """
    left: list[WorkflowFailure] = []
    for name, step in steps.items():
        well = success or is_settled(step.study)
        try:
            for text in conclude_run(
                step.study, step.addresses, success=well, complete=complete, logs=logs
            ):
                yield f"\n{name}: {text.lstrip()}"
        except WorkflowFailure as e:
            left.append(label(e, name))
    yield f"Overview: {write_overview(chain, refused)}"
    if success:
        refuse(left)


def is_settled(study: Study) -> bool:
    """True where nothing is left to do for any unit."""
    rows = collect_rows(study)
    try:
        refuse_unsettled(rows)
    except WorkflowFailure:
        return False
    return bool(rows)


def merge_chain(chain: Chain) -> None:
    """Merge what is finished of each study, in order.

    Raises `ConfigFailure` with what went wrong, after all of them.
    """
    problems = []
    for step in chain.steps:
        if not step.study.files.prepared.exists():
            continue
        try:
            outcome = merge_branches(step.study)
            print(f"{step.name}: merged {len(outcome.merged_now)} unit(s)")
            problems += [
                WorkflowFailure(f"{step.name}: {unit} was not merged: {why}")
                for unit, why in outcome.unmerged.items()
            ]
        except (WorkflowFailure, CommandError) as e:
            problems.append(WorkflowFailure(f"{step.name}: {e}"))
    refuse(problems)


def describe_checks(steps: Iterable[RunningStep], found: Iterable[Finding]) -> str:
    """A table for each study of what the checks on the nodes found, after what was found here."""
    found = list(found)
    texts = []
    for number, step in enumerate(steps):
        table = describe_check(step.study, found if number == 0 else []).lstrip()
        texts.append(f"\n{step.study.name}\n{table}")
    return "\n".join(texts)
