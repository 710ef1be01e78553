"""The main branch of each output dataset, as a merge finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..base.errors import WorkflowFailure
from ..base.runners import call_git
from ..datasets.annex import SUBDATASET
from ..datasets.branches import Result, head_of, is_ancestor, read_ledger
from ..datasets.output_datasets import OutputDataset
from ..datasets.stores import REMOTE_BASE, REMOTE_MAIN


@dataclass(frozen=True)
class Place:
    """A dataset as a merge finds it.

    `main` is what its store has, `start` what the merge builds upon: for a
    subdataset what the output dataset registers, or what was added to that
    since.  `ledger` names the result of each unit that `start` holds.
    """

    target: OutputDataset
    main: str
    start: str
    ledger: Mapping[str, Result]

    @property
    def path(self) -> str:
        """Its path in the output dataset."""
        return self.target.path


def find_places(targets: Sequence[OutputDataset]) -> list[Place]:
    """Every dataset's main; the output dataset comes last."""
    *further, output = targets
    main = main_of(output)
    places = []
    for target in further:
        there = main_of(target)
        start = find_start(target, there, registered=registered_link(output, main, target.path))
        places.append(Place(target, there, start, read_ledger(target.dataset, start)))
    return [*places, Place(output, main, main, read_ledger(output.dataset, main))]


def main_of(target: OutputDataset) -> str:
    """The commit of main in a store."""
    main = head_of(target.dataset, REMOTE_MAIN)
    if main is None:
        raise WorkflowFailure(
            f"The output store {target.store.url} has no branch main.",
            hint="run `snakemake prepare_study` first.",
        )
    return main


def base_of(target: OutputDataset) -> str:
    """The commit of base in a store."""
    base = head_of(target.dataset, REMOTE_BASE)
    if base is None:
        raise WorkflowFailure(
            f"The output store {target.store.url} has no branch base.",
            hint="run `snakemake prepare_study` first.",
        )
    return base


def registered_link(output: OutputDataset, main: str, path: str) -> str:
    """The commit of a subdataset that main registers, or base where main does not yet.

    Raises `WorkflowFailure` where main has files there: they would be lost.
    """
    for commit in (main, base_of(output)):
        entry = call_git(["ls-tree", commit, "--", path], cwd=output.dataset)
        if entry:
            mode, _, name = entry.partition("\t")[0].split()
            if mode == SUBDATASET:
                return name
            break
    raise WorkflowFailure(
        f"The output {path} lies in the output dataset {output.store.url} itself, not in a "
        "dataset of its own.",
        hint="take its repo out of the config, or give the study a new output store.",
    )


def find_start(target: OutputDataset, main: str, *, registered: str) -> str:
    """What a merge builds upon in a subdataset.

    That is the commit that the output dataset registers, or, where somebody
    added to it, what they added.  The merge brings forward a store that is
    behind.

    Raises `WorkflowFailure` where the two histories have diverged.
    """
    if head_of(target.dataset, registered):
        if is_ancestor(target.dataset, main, registered):
            return registered
        if is_ancestor(target.dataset, registered, main):
            return main
    raise WorkflowFailure(
        f"main of {target.store.url} is not what the output dataset registers at {target.path}: "
        f"{registered[:10]} is missing there, or the two histories have diverged.",
        hint=f"bring that commit into its main (git merge {registered[:10]}), then merge again.",
    )
