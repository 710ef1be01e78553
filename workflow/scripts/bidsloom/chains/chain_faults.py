"""What is wrong with the studies of a chain, taken together.  Nothing is read here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..base.errors import WorkflowFailure
from ..config import Study
from ..config.places import normal_url
from ..scheduling.slurm import rule_prefix

# A study, and the name of its config file.
Named = tuple[Study, str]


def find_chain_faults(studies: Sequence[Named], *, whole: bool = True) -> Iterator[WorkflowFailure]:
    """Every fault of some studies that run together.

    `whole` says that these are all of the chain's studies, none has faults of
    its own.
    """
    yield from find_repeated_names(studies)
    yield from find_shared_stores(studies)
    yield from find_versions(studies)
    if whole:
        yield from find_absent(studies)
        if circle := find_circle([study for study, _ in studies]):
            yield WorkflowFailure(
                f"Studies read each other's results in a circle: {' -> '.join(circle)}.",
                hint="delete one of these from datalad.inputs.",
            )


def find_repeated_names(studies: Sequence[Named]) -> Iterator[WorkflowFailure]:
    """Studies that results, rules or jobs could not tell apart."""
    names: dict[str, str] = {}
    for study, file in studies:
        # In names of rules many characters are one.
        mark = rule_prefix(study).lower()
        if mark in names:
            yield WorkflowFailure(
                f"{names[mark]} and {file} describe studies of one name, {study.name}.",
                hint="give each a name of its own, by the key `study`.",
            )
        names.setdefault(mark, file)


def find_shared_stores(studies: Sequence[Named]) -> Iterator[WorkflowFailure]:
    """Output stores that two studies name."""
    stores: dict[str, str] = {}
    for study, file in studies:
        for url in (study.output_url, *(further.url for further in study.further_outputs)):
            mark = normal_url(url)
            if mark in stores and stores[mark] != file:
                yield WorkflowFailure(
                    f"{stores[mark]} and {file} name one output store, {url}.",
                    hint="give each study an output store of its own (datalad.output_repos).",
                )
            stores.setdefault(mark, file)


def find_versions(studies: Sequence[Named]) -> Iterator[WorkflowFailure]:
    """Datasets that two studies read in different versions."""
    seen: dict[str, tuple[str, str]] = {}
    for study, file in studies:
        read = [(study.input_url, study.input_version)]
        read += [(f.url, f.version) for f in study.further_inputs if not f.producer]
        for url, version in read:
            mark = normal_url(url)
            other, known = seen.setdefault(mark, (file, version))
            if known != version:
                yield WorkflowFailure(
                    f"{other} and {file} read {url} in different versions: "
                    f"{known or 'the newest one'} and {version or 'the newest one'}.",
                    hint="name the same version in both (datalad.input_version).",
                )


def find_absent(studies: Sequence[Named]) -> Iterator[WorkflowFailure]:
    """Inputs from studies that are not in the chain."""
    names = {study.name for study, _ in studies}
    for study, file in studies:
        for further in study.produced_inputs:
            if further.producer and further.producer.name not in names:
                yield WorkflowFailure(
                    f"{file} reads the results of study {further.producer.name}, which is not in "
                    "the chain.",
                    hint="add its config file to `studies`; or name its output dataset by `repo` "
                    "and `path`.",
                )


def find_circle(studies: Sequence[Study]) -> list[str]:
    """Names of studies that read each other's results in a circle, or none."""
    left = {study.name: needs_of(study) for study in studies}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    if not left:
        return []
    trail = [next(iter(left))]
    while trail[-1] not in trail[:-1]:
        trail.append(sorted(left[trail[-1]] & left.keys())[0])
    return trail[trail.index(trail[-1]) :]


def needs_of(study: Study) -> set[str]:
    """Names of the studies whose results a study reads."""
    return {further.producer.name for further in study.produced_inputs if further.producer}


def order_studies(studies: Sequence[Study]) -> list[Study]:
    """Studies, each after those whose results it reads, else as they were given."""
    ordered: list[Study] = []
    left = list(studies)
    while left:
        names = {study.name for study in left}
        ready = next(study for study in left if not needs_of(study) & names)
        ordered.append(ready)
        left.remove(ready)
    return ordered
