"""The output folder of a study that names none.

A new store is a BIDS study dataset, with the results in `derivatives/<app>`.
A store keeps the folders that it began with: those that its scaffolding names,
or `<app>`, the default of versions that did not name them there.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.runners import call_git

# What all results are made from, in the scaffolding that job branches start from.
MADE_FROM = ".datalad/bidsloom.json"
# The branch `base` of the store, as the study's clone knows it, or a dataset that
# was not pushed yet.
STORED, LOCAL = "refs/remotes/output/base", "HEAD"


def default_outputs(dataset: Path, app: str) -> list[str]:
    """The output folders of a study that names none; `dataset` is its clone of the store.

    Raises `WorkflowFailure` where the clone cannot be read.
    """
    if dataset.exists():
        made = read_file(dataset, f"{STORED}:{MADE_FROM}") or read_file(
            dataset, f"{LOCAL}:{MADE_FROM}"
        )
        command = json.loads(made)["command"] if made else {}
        if command.get("container.name") == app:
            return command["container.outputs"]
        if not made and read_file(dataset, f"{STORED}:.datalad/config"):
            return [app]
    return [new_output(app)]


def new_output(app: str) -> str:
    """The output folder in a new store."""
    return f"derivatives/{app}"


def read_file(repository: Path, name: str) -> str | None:
    """The content of a file of a commit, None where there is no such file or commit."""
    try:
        blob = call_git(["rev-parse", "-q", "--verify", name], cwd=repository)
        return call_git(["cat-file", "blob", blob], cwd=repository)
    except CommandError as e:
        if e.exit_code == 1:
            return None
        raise WorkflowFailure(
            f"{repository}, the study's clone of its output dataset, cannot be read: "
            f"{e.stderr.strip()}",
            hint="check who owns it; or remove it: it is cloned again.",
        ) from e
