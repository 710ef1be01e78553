"""Where the app writes results, in one of the output folders."""

from __future__ import annotations

from collections.abc import Iterable

from ..config import Study
from ..config.study import Container
from .unit import GROUP, Unit, split_name


def output_folder(container: Container, unit: Unit, output: str) -> str:
    """Where the app writes a unit's results, in one of the output folders."""
    if container.archive:
        return f"{output}/{unit.name}"
    if unit.session and container.session_folders:
        return f"{output}/ses-{unit.session}"
    return output


def result_folders(study: Study, units: Iterable[str]) -> list[str]:
    """The folders in the output dataset that hold results of some units, each a dataset to BIDS.

    With an output folder for each session, each of these is one.
    """
    container = study.container
    apart = study.by_session and container.session_folders and not container.archive
    labels = {split_name(unit)[1] if apart and unit != GROUP else None for unit in units}
    inside = ["" if label is None else f"/ses-{label}" for label in sorted(labels, key=str)]
    return [f"{output}{folder}" for output in container.outputs for folder in inside]
