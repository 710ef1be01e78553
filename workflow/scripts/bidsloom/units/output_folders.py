"""Where the app writes a unit's results, in one of the output folders."""

from __future__ import annotations

from ..config.study import Container
from .unit import Unit


def output_folder(container: Container, unit: Unit, output: str) -> str:
    """Where the app writes a unit's results, in one of the output folders."""
    if container.archive:
        return f"{output}/{unit.name}"
    if unit.session and container.session_folders:
        return f"{output}/ses-{unit.session}"
    return output
