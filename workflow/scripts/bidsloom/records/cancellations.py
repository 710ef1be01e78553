"""Notes of units whose jobs somebody cancelled on purpose.

They hold until Snakemake is started anew: no further job takes such a unit up.
"""

from __future__ import annotations

import getpass
import shutil
from datetime import datetime
from pathlib import Path

from ..base.files import read_json, write_json
from ..config import Study


def cancel_note(study: Study, unit: str) -> Path:
    """Where it stands that a unit was cancelled."""
    return study.results / "cancelled" / f"{unit}.json"


def note_cancel(study: Study, unit: str) -> None:
    """Say that the jobs of a unit are cancelled, and by whom."""
    at = datetime.now().isoformat(timespec="seconds")
    write_json(cancel_note(study, unit), {"by": getpass.getuser(), "at": at})


def who_cancelled(study: Study, unit: str) -> str | None:
    """Who cancelled a unit, or None."""
    note = read_json(cancel_note(study, unit))
    return note and note["by"]


def list_cancelled(study: Study) -> set[str]:
    """Units that were cancelled."""
    return {path.stem for path in (study.results / "cancelled").glob("*.json")}


def describe_cancel(study: Study, unit: str) -> dict[str, str | bool]:
    """What an attempt tells of a cancel that was meant; nothing where it was not."""
    who = who_cancelled(study, unit)
    if who is None:
        return {}
    return {
        "on_purpose": True,
        "message": f"{unit} was cancelled by {who} (status.py --cancel).",
        "hint": "start snakemake again to take it up.",
    }


def forget_cancels(study: Study) -> None:
    """Let a new run take up what was cancelled before."""
    shutil.rmtree(study.results / "cancelled", ignore_errors=True)
