"""What of other studies' results a unit reads, by git alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.files import digest
from ..config.producer import Producer
from ..config.study import FurtherInput
from ..datasets.branches import Entry
from ..datasets.result_trees import fetch_commits, read_folder_of_each, read_registered_of_each
from ..datasets.stores import Store, store_at
from .further_inputs import OWNER
from .offers import DUE, Offer
from .unit import GROUP, Unit, split_name


def producer_of(further: FurtherInput) -> Producer:
    """The study that makes a further input, of which that is known."""
    if further.producer is None:
        raise ValueError(f"{further.path} is made by no study")
    return further.producer


def announcing_store(further: FurtherInput) -> Store:
    """The store whose branches announce the results of an input."""
    return store_at(producer_of(further).store, name=producer_of(further).name)


def content_store(further: FurtherInput) -> Store:
    """The store of the dataset that is read: that of an output which is a dataset of its own."""
    producer = producer_of(further)
    name = (
        f"{producer.name}-{producer.output.replace('/', '-')}" if producer.apart else producer.name
    )
    return store_at(further.url, name=name)


def announcing_repository(further: FurtherInput) -> Path:
    """Where the commits can be read that announce results.

    Raises `WorkflowFailure` where no repository on this machine has them.
    """
    store = announcing_store(further)
    if store.repository:
        return store.repository
    if producer_of(further).apart:
        raise WorkflowFailure(
            f"The output {producer_of(further).output} of study {producer_of(further).name} is a "
            f"dataset of its own, and its output store {store.url} is on another machine.",
            hint="name the output's repository by `repo` and `path` in datalad.inputs.",
        )
    return further.clone


def read_parts(further: FurtherInput, commits: Iterable[str]) -> dict[str, str]:
    """Commit that announces a result -> its commit in the dataset that is read."""
    commits = list(commits)
    if not producer_of(further).apart:
        return {commit: commit for commit in commits}
    repository = announcing_repository(further)
    return read_registered_of_each(repository, commits, producer_of(further).output)


def digest_results(further: FurtherInput, results: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Digests of some results of a further input, given as unit and commit, by both together.

    Of a unit's result they cover what belongs to its subject, and the input's
    `shared_paths`; of the group's result all that lies beside the subjects, too.
    """
    results = [(unit, commit) for unit, commit in results if commit]
    parts = read_parts(further, dict.fromkeys(commit for _, commit in results))
    store = content_store(further)
    repository = store.repository or further.clone
    if not store.repository:
        fetch_commits(repository, store.git_url, parts.values())
    digests = {}
    # Each session may have a folder of its own.
    for session in {split_name(unit)[1] for unit, _ in results}:
        here = [(u, c) for u, c in results if split_name(u)[1] == session]
        known = [parts[commit] for _, commit in here if commit in parts]
        held = read_folder_of_each(repository, known, further.at_session(session).folder)
        for unit, commit in here:
            own = held.get(parts.get(commit, ""), {})
            digests[f"{unit} {commit}"] = digest_entries(unit, own, further.shared)
    return digests


def digest_entries(unit: str, held: Mapping[str, Entry], shared: Iterable[str]) -> str:
    """A digest of what a result holds of its unit, and of some folders that all units read."""
    subject = split_name(unit)[0]
    beside = {path.partition("/")[0] for path in shared}
    chosen = [
        (name, entry.blob)
        for name, entry in held.items()
        if name in beside or unit == GROUP or ((owner := OWNER.match(name)) and owner[1] == subject)
    ]
    return digest(sorted(chosen))


def mark_of(unit: Unit, behind: Mapping[str, str], digests: Mapping[str, str]) -> str:
    """What a fingerprint says of the results that a unit reads; `DUE` where one is to be made."""
    if not all(behind.values()):
        return DUE
    return digest([(name, digests[f"{name} {commit}"]) for name, commit in sorted(behind.items())])


def mark_units(
    units: Iterable[Unit], further: FurtherInput, offer: Offer
) -> Iterable[tuple[Unit, str]]:
    """Each unit that reads an input, with what its fingerprint says of that."""
    behind = {unit: offer.results_behind(further, unit) for unit in units if offer.behind(unit)}
    wanted = dict.fromkeys(pair for results in behind.values() for pair in results.items())
    digests = digest_results(further, wanted)
    return ((unit, mark_of(unit, results, digests)) for unit, results in behind.items())
