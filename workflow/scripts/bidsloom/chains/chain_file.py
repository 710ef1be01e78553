"""The file of a chain: `studies` lists config files, `datasets` what they are for.

With `datasets` each config is a template: `{dataset}` in its texts stands for
one dataset after the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import ConfigFailure, WorkflowFailure, refuse
from ..config import Study, read_config, read_study
from ..config.loading import LoadedConfig
from ..config.plain_values import shown
from ..config.producers import study_name
from ..config.reading import restore_on
from ..config.schema import nearest
from ..scheduling.slurm import rule_prefix
from .chain_faults import find_chain_faults, order_studies

KEYS = ("studies", "datasets", "chain")
DATASET = "{dataset}"
LABEL = r"[A-Za-z0-9][A-Za-z0-9._-]*"
EXAMPLE = "for example studies: [fmriprep.yaml, xcpd.yaml]."


@dataclass(frozen=True)
class Step:
    """A study of a chain; `file` is its config, `dataset` what that was filled in for."""

    study: Study
    config: Mapping[str, Any]
    file: Path
    dataset: str = ""

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.name

    @property
    def prefix(self) -> str:
        """What the names of its rules start with."""
        return rule_prefix(self.study)


@dataclass(frozen=True)
class Chain:
    """The studies of a chain, each after those whose results it reads.

    `refused` is dataset -> what is wrong with its studies, which are none of
    the steps.
    """

    name: str
    file: Path
    steps: Sequence[Step]
    refused: Mapping[str, Sequence[WorkflowFailure]] = field(default_factory=dict)

    def step(self, name: str) -> Step:
        """The step of a name.  Raises `WorkflowFailure` where there is none."""
        for step in self.steps:
            if name in (step.name, step.file.name, step.file.stem):
                return step
        raise WorkflowFailure(
            f"{name} is no study of the chain {self.file}.",
            hint=nearest(name, [step.name for step in self.steps]),
        )


def is_chain(config: Any) -> bool:
    """True for the content of a chain's file, False for that of a study's."""
    return isinstance(config, Mapping) and ("studies" in config or "datasets" in config)


def read_chain(
    config: Mapping, file: Path, *, base: Path | None = None, checked: bool = False
) -> Chain:
    """The chain that a file describes; config files that it names are beside it.

    Other relative paths, and the `results` folder, are relative to `base`, by
    default the working directory.  `checked` is as for `read_study`.

    Raises `ConfigFailure` with every fault of the file, and of its studies
    where it names no datasets.
    """
    base = base or Path.cwd()
    refuse(find_file_faults(config, file))
    templates = read_templates(config["studies"], file)
    datasets = config.get("datasets", [""])
    steps: list[Step] = []
    refused: dict[str, list[WorkflowFailure]] = {}
    for dataset in datasets:
        try:
            steps += read_steps(templates, dataset, base, checked=checked)
        except ConfigFailure as e:
            if "datasets" not in config:
                raise
            refused[dataset] = e.problems
    for first, second in find_clashes(steps):
        refused.setdefault(second.dataset, []).append(
            WorkflowFailure(
                f"{second.file.name} for {second.dataset} describes the same study, or has the "
                f"same output store, as for {first.dataset}: {second.name}.",
                hint=f"put {DATASET} into `study`, and into each of its output_repos.",
            )
        )
    steps = [step for step in steps if step.dataset not in refused]
    if refused and not steps:
        raise ConfigFailure([label(p, d) for d, problems in refused.items() for p in problems])
    return Chain(str(config.get("chain") or file.stem), file, steps, refused)


def find_file_faults(config: Mapping, file: Path) -> Iterator[WorkflowFailure]:
    """What is wrong with the file of a chain itself."""
    for key in sorted(set(map(str, config)) - set(KEYS)):
        yield WorkflowFailure(
            f"{key} is not a known key of a chain ({file}).",
            hint=f"{nearest(key, list(KEYS))} A study's keys belong in its own config file.",
        )
    for key, what in (("studies", "config files"), ("datasets", "names of datasets")):
        if key == "datasets" and key not in config:
            continue
        given = config.get(key)
        if not isinstance(given, list) or not given:
            yield WorkflowFailure(
                f"{key} is {shown('', given)} in {file}; expected: a list of {what}.",
                hint=EXAMPLE if key == "studies" else "for example datasets: [ds000117, ds000030].",
            )
            continue
        for text in given:
            fits = isinstance(text, str) and text
            if not fits or (key == "datasets" and not re.fullmatch(LABEL, text)):
                yield WorkflowFailure(
                    f"{key} lists {shown('', text)} in {file}; expected: {what}.",
                    hint="names consist of letters, digits, '.', '-' and '_'; put numbers into "
                    "quotes.",
                )
        for text in sorted({str(t) for t in given if given.count(t) > 1}):
            yield WorkflowFailure(
                f"{key} lists {text} twice in {file}.", hint="delete one of the two."
            )
    if "chain" in config and not re.fullmatch(LABEL, str(config["chain"])):
        yield WorkflowFailure(
            f"chain is {shown('', config['chain'])} in {file}; expected: a name.",
            hint="names consist of letters, digits, '.', '-' and '_'.",
        )


def read_templates(names: Sequence[str], file: Path) -> dict[Path, LoadedConfig]:
    """The config files of a chain.  Raises `ConfigFailure` with those that cannot be read."""
    found, problems = {}, []
    for name in names:
        path = file.parent / Path(name).expanduser()
        try:
            loaded = read_config(path)
            if is_chain(loaded):
                problems.append(
                    WorkflowFailure(
                        f"{path}, of studies in {file}, is a chain itself.",
                        hint="list the config files of its studies instead.",
                    )
                )
            found[path] = loaded
        except ConfigFailure as e:
            problems += e.problems
    refuse(problems)
    return found


def read_steps(
    templates: Mapping[Path, LoadedConfig], dataset: str, base: Path, *, checked: bool = False
) -> list[Step]:
    """The studies of one dataset, in the order in which they can run.

    Raises `ConfigFailure` with every fault of them.
    """
    filled = {path: fill(restore_on(config), dataset) for path, config in templates.items()}
    known: dict[str, Mapping] = {}
    for path, config in filled.items():
        for word in (study_name(config), path.name, str(path)):
            known.setdefault(word, config)
    steps, problems = [], []
    for path, config in filled.items():
        try:
            lines = templates[path].lines
            study = read_study(config, base=base, lines=lines, checked=checked, studies=known)
            steps.append(Step(study, name_inputs(config, known), path, dataset))
        except ConfigFailure as e:
            problems += [label(problem, path.name) for problem in e.problems]
    problems += find_chain_faults(
        [(step.study, step.file.name) for step in steps], whole=not problems
    )
    refuse(problems)
    by_name = {step.name: step for step in steps}
    return [by_name[study.name] for study in order_studies([step.study for step in steps])]


def name_inputs(config: Mapping, known: Mapping[str, Mapping]) -> dict[str, Any]:
    """A configuration whose inputs name other studies by their names, as its jobs know them."""
    inputs = [
        {**given, "study": study_name(known[given["study"]])}
        if given.get("study") in known
        else given
        for given in config["datalad"].get("inputs", [])
    ]
    return {**config, "datalad": {**config["datalad"], "inputs": inputs}}


def label(problem: WorkflowFailure, place: str) -> WorkflowFailure:
    """A problem that says which file or dataset it is of."""
    return WorkflowFailure(
        f"{place}: {problem.message}", hint=problem.hint, failure_class=problem.failure_class
    )


def fill(value: Any, dataset: str) -> Any:
    """A configuration with a dataset's name in its place; as it is without one."""
    if not dataset:
        return dict(value) if isinstance(value, Mapping) else value
    if isinstance(value, Mapping):
        return {name: fill(inner, dataset) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, dataset) for inner in value]
    return value.replace(DATASET, dataset) if isinstance(value, str) else value


def find_clashes(steps: Sequence[Step]) -> Iterator[tuple[Step, Step]]:
    """Studies of two datasets that have one name, or one store."""
    taken: dict[str, Step] = {}
    for step in steps:
        stores = [step.study.output_url, *(f.url for f in step.study.further_outputs)]
        for mark in (f"name {step.name}", *stores):
            if mark in taken and taken[mark].dataset != step.dataset:
                yield taken[mark], step
                break
            taken.setdefault(mark, step)
