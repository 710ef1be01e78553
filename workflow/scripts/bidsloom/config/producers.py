"""Inputs that are results of other studies: `study` in place of `repo`.

A study is named by its config file, or by its name: it is then a step of the
same chain, or was started in this folder before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import ConfigFailure, WorkflowFailure
from .layout import default_outputs
from .loading import read_config
from .plain_values import shown
from .producer import Producer
from .results_folder import ResultsFolder
from .schema import load_schema, nearest
from .values import as_list, fill_defaults, output_repositories, resolve_path, resolve_url, value_at

CONFIG_FILES = (".yaml", ".yml", ".json")
# Where results of other studies are registered, unless `path` says otherwise.
FOLDER = "sourcedata"
# Keys of an input that only results of another study have.
OWN_KEYS = ("output", "group")


@dataclass
class Producers:
    """The studies that inputs name, by where these are registered; and what is wrong with them."""

    known: dict[str, Producer] = field(default_factory=dict)
    faults: list[WorkflowFailure] = field(default_factory=list)


def name_producers(
    config: Any, base: Path, studies: Mapping[str, Mapping]
) -> tuple[Any, Producers]:
    """A configuration whose inputs all name repositories, and the studies that they named.

    `studies` are configurations, by the studies' names, that need not be looked for.
    """
    producers, inputs = Producers(), []
    datalad = value_at(config, "datalad")
    given_inputs = value_at(datalad, "inputs")
    if not isinstance(given_inputs, list):
        return config, producers
    for number, given in enumerate(given_inputs):
        key = f"datalad.inputs.{number}"
        if not isinstance(given, Mapping):
            inputs.append(given)
            continue
        found = list(key_faults(given, key))
        producers.faults += found
        if found or "study" not in given:
            inputs += [] if found else [given]
            continue
        try:
            producer, repo = read_producer(given, key, base, studies, reader=config)
        except ConfigFailure as e:
            producers.faults += e.problems
            continue
        path = given.get("path") or default_path(producer.name, given.get("output", ""))
        producers.known[path] = producer
        inputs.append({**given, "repo": repo, "path": path})
    return {**config, "datalad": {**datalad, "inputs": inputs}}, producers


def key_faults(given: Mapping, key: str) -> Iterator[WorkflowFailure]:
    """Keys of an input that exclude each other, or are missing."""
    if "study" not in given:
        for name in ("repo", "path"):
            if name not in given:
                yield WorkflowFailure(
                    f"{key}.{name} is missing.",
                    hint="config/README.md describes every key, with examples.",
                )
        for name in OWN_KEYS:
            if name in given:
                yield WorkflowFailure(
                    f"{key}.{name} is set, but the input names no study.",
                    hint=f"name the study that makes it ({key}.study), or delete the key.",
                )
        return
    if not isinstance(given["study"], str) or not given["study"]:
        yield WorkflowFailure(
            f"{key}.study is {shown('', given['study'])}; expected: a study's name or config file.",
            hint="for example mystudy-fmriprep, or fmriprep.yaml.",
        )
    for name in ("repo", "version"):
        if name in given:
            yield WorkflowFailure(
                f"{key} names both a study and a {name}.",
                hint="of a study the results that it has now are read; to use another state of "
                "its output dataset, name that by repo, folder and version, without study.",
            )


def study_name(config: Any) -> str:
    """The name of the study that a configuration describes."""
    return str(value_at(config, "study") or value_at(config, "container", "name") or "")


def is_config_file(text: str) -> bool:
    """True for the path of a config file, False for the name of a study."""
    return "/" in text or text.endswith(CONFIG_FILES)


def default_path(name: str, output: str) -> str:
    """Where the results of a study are registered inside the output dataset."""
    return f"{FOLDER}/{name}" + (f"-{output.replace('/', '-')}" if output else "")


def find_config(text: str, key: str, base: Path, studies: Mapping[str, Mapping]) -> Mapping:
    """The configuration of the study that an input names.

    Raises `ConfigFailure` where there is none.
    """
    if text in studies:
        return studies[text]
    if is_config_file(text):
        return read_config(resolve_path(text, base))
    path = ResultsFolder(base / "results" / text).known_config
    if path.exists():
        return read_config(path)
    known = nearest(text, list(studies)) if studies else ""
    raise ConfigFailure(
        [
            WorkflowFailure(
                f"{key}.study names {text!r}, which is no study "
                + ("of this chain." if studies else "that was started in this folder."),
                hint=known
                or "name its config file; or list both config files under `studies` of a chain.",
            )
        ]
    )


def read_producer(
    given: Mapping, key: str, base: Path, studies: Mapping[str, Mapping], *, reader: Mapping
) -> tuple[Producer, str]:
    """The study that an input names, and the repository that is read, as its config writes it.

    `reader` is the configuration of the study that names it.

    Raises `ConfigFailure`.
    """
    text = given["study"]
    config = find_config(text, key, base, studies)

    def fault(what: str, hint: str) -> ConfigFailure:
        return ConfigFailure([WorkflowFailure(f"{key}.study is {text}: {what}", hint=hint)])

    name = study_name(config)
    store = (as_list(value_at(config, "datalad", "output_repos")) or [None])[0]
    container = value_at(config, "container")
    if not name or not isinstance(store, str) or not isinstance(container, Mapping):
        raise fault(
            "that file has no study's config (container.name or datalad.output_repos is missing).",
            "name the config file of the study that makes the input.",
        )
    if name == study_name(reader):
        raise fault("that is this study itself.", "name the study that makes the input.")
    try:
        filled = fill_defaults(dict(config), load_schema())
        if "outputs" not in filled["container"]:
            dataset = ResultsFolder(base / "results" / name).dataset
            filled["container"]["outputs"] = default_outputs(dataset, container["name"])
        outputs = output_repositories(filled)
    except (AttributeError, KeyError, TypeError, ValueError) as e:
        raise fault("that config has faults.", f"snakemake --configfile {text} -n") from e
    output = given.get("output") or next(iter(outputs))
    if output not in outputs:
        raise fault(f"it has no output {output!r}.", nearest(str(output), list(outputs)))
    by_session = filled["subjects"]["processing_level"] == "session"
    session_folders = by_session and filled["container"]["session_folders"]
    if container.get("archive"):
        raise fault(
            "it packs its results in archives, which no app reads (container.archive).",
            "change that in its config.",
        )
    reads_sessions = value_at(reader, "subjects", "processing_level") == "session"
    if session_folders and (given.get("group") or not reads_sessions):
        raise fault(
            "it writes a folder for each session, in which no app looks for a subject's sessions "
            "together.",
            "set container.session_folders: false in its config, with a new output store.",
        )
    if filled["datalad"].get("output_content"):
        raise fault(
            "it keeps content in a special remote (datalad.output_content), where jobs of other "
            "studies do not look for results that are not merged.",
            "name its output dataset by `repo`, `folder` and `path`, once it is merged.",
        )
    if given.get("group") and not container.get("group_level"):
        raise fault(
            f"{key}.group is set, but it has no group level.",
            "set container.group_level in its config, or delete the key.",
        )
    producer = Producer(
        name=name,
        results=base / "results" / name,
        app=container["name"],
        store=resolve_url(store, base),
        output=output,
        inner=str(given.get("folder", "")),
        apart=bool(outputs[output]),
        by_session=by_session,
        group=bool(given.get("group")),
        session_folders=session_folders,
    )
    return producer, outputs[output] or store
