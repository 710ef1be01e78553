"""Failed attempts at a unit: `results/<study>/attempts/<unit>.json`, the last one last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..base.files import read_json, write_json
from ..config import Study


def read_attempts(study: Study, unit: str) -> list[dict]:
    """Failed attempts at a unit, the last one last."""
    return read_json(study.results / "attempts" / f"{unit}.json") or []


def add_attempt(folder: Path, unit: str, attempt: Mapping) -> None:
    """Append a failed attempt to the unit's list."""
    path = folder / f"{unit}.json"
    write_json(path, [*(read_json(path) or []), dict(attempt)])
