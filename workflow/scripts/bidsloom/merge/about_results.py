"""What a study knows of its results: the app and its image, the inputs and where they are from."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..base.credentials import public_url
from ..base.errors import CommandError
from ..base.paths import PACKED, REPOSITORY
from ..base.runners import call_git
from ..checks.app import know_app
from ..config import Study
from ..config.study import join, tree_of
from ..config.values import local_path
from ..containers.image_labels import describe_container
from ..datasets.folders import plain_folder
from ..records.prepared import Prepared, read_prepared
from ..units.further_inputs import known_inputs
from .descriptions import About, plain_doi

# What an app calls the dataset with the measurements, in the BIDS URIs of its results.
RAW = "raw"


def know_results(study: Study) -> About | None:
    """What is known of the results of a study; None where it is not prepared."""
    prepared = read_prepared(study)
    if prepared is None:
        return None
    inputs = [(study.input_url, study.input, prepared.input_commit, study.input_folder)]
    inputs += [
        (given.url, given.clone, prepared.further_commits[given.path], given.folder)
        # Of datasets of single subjects, the path of all says enough.
        for given in known_inputs(study, prepared.further_commits)
        if given.path in {f.path for f in study.further_inputs}
    ]
    raw = read_description(study.input, study.input_tree(prepared.input_commit))
    authors = raw.get("Authors")
    return About(
        name=study.name,
        generators=[describe_app(study, prepared), describe_workflow()],
        sources=[source for given in inputs if (source := describe_source(*given))],
        inputs={RAW: study.bids_path}
        | {name_of(f.path): join(f.path, f.folder) for f in study.further_inputs},
        outputs={name_of(path): path for path in study.container.outputs},
        licence=str(raw.get("License") or ""),
        authors=[str(author) for author in authors] if isinstance(authors, list) else [],
    )


def describe_app(study: Study, prepared: Prepared) -> dict[str, Any]:
    """The app, its version and its image, as BIDS has them in `GeneratedBy`."""
    facts = know_app(study, prepared)
    container = describe_container(
        study, prepared.runtime, key=prepared.container_key, labels=facts.labels
    )
    found = {"Name": study.container.name, "Version": facts.version, "Container": container}
    return {key: value for key, value in found.items() if value}


def describe_workflow() -> dict[str, str]:
    """The workflow itself, as BIDS has it in `GeneratedBy`."""
    found = {"Name": "bidsloom"}
    about = REPOSITORY / "pyproject.toml"
    if REPOSITORY == PACKED:
        found["Version"] = version("bidsloom")
    elif about.exists():
        found["Version"] = tomllib.loads(about.read_text())["project"]["version"]
    return found


def describe_source(url: str, clone: Path, commit: str, folder: str) -> dict[str, str]:
    """An input as BIDS has it in `SourceDatasets`: without a path of this machine.

    A dataset on this machine may be a clone of one that others can reach.
    """
    doi = str(read_description(clone, tree_of(commit, folder)).get("DatasetDOI") or "")
    found = {"URL": reachable_url(url), "DOI": doi, "Version": tag_of(clone, commit) or commit}
    if not found["URL"] and plain_doi(doi):
        found["URL"] = f"https://doi.org/{plain_doi(doi)}"
    return {key: value for key, value in found.items() if value}


def reachable_url(url: str) -> str:
    """The URL of a dataset for people on other machines, without credentials; empty without one."""
    path = local_path(url.removeprefix("ria+"))
    if path is None:
        return public_url(url)
    try:
        origin = call_git(["config", "remote.origin.url"], cwd=path) if path.is_dir() else ""
    except CommandError:
        return ""
    if plain_folder(url) or local_path(origin.removeprefix("ria+")) is not None:
        return ""
    return public_url(origin)


def tag_of(clone: Path, commit: str) -> str:
    """The tag of a commit, empty where it has none."""
    try:
        return call_git(["describe", "--tags", "--exact-match", commit], cwd=clone)
    except CommandError:
        return ""


def read_description(clone: Path, tree: str) -> Mapping[str, Any]:
    """The `dataset_description.json` of a tree; empty where it is annexed, or no JSON."""
    separator = "/" if ":" in tree else ":"
    name = f"{tree}{separator}dataset_description.json"
    try:
        value = json.loads(call_git(["cat-file", "blob", name], cwd=clone))
    except (CommandError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def name_of(path: str) -> str:
    """The name of a dataset in BIDS URIs: the last part of its path."""
    return path.rpartition("/")[2]
