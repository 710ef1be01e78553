"""Checks before a study starts: each looks, and refuses with a letter."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from .bids import Units
from .config import ConfigFailure, Study, is_local_path
from .errors import FailureClass, WorkflowFailure
from .runners import call_git_success


def check(*looks: Callable[[], object]) -> None:
    """Take every look, then raise all that was found wrong at once."""
    problems = []
    for look in looks:
        try:
            look()
        except WorkflowFailure as e:
            problems.append(e)
    refuse(problems)


def refuse(problems: Iterable[WorkflowFailure]) -> None:
    """Raise all problems at once, if there are any."""
    if problems := list(problems):
        raise ConfigFailure(problems)


def check_tools() -> None:
    """Refuse to start without the programs that every job needs."""
    for tool in ("git", "git-annex"):
        check_program(tool)


def check_program(name: str) -> None:
    """Refuse to start without a program."""
    if shutil.which(name) is None:
        raise WorkflowFailure(
            f"The program {name} was not found on PATH.",
            hint=f"load its module (module load {name}), or run `make setup` and start "
            "snakemake from the environment it makes.",
        )


def check_identity() -> None:
    """Refuse to start where git could not sign a commit."""
    # Not `git var GIT_COMMITTER_IDENT`: it invents an address from the host's name.
    for setting, variable in (("user.name", "NAME"), ("user.email", "EMAIL")):
        given = all(os.environ.get(f"GIT_{who}_{variable}") for who in ("AUTHOR", "COMMITTER"))
        if not given and not call_git_success(["config", "--get", setting], cwd=Path.cwd()):
            raise WorkflowFailure(
                f"git does not know who you are: {setting} is not set, and every result is a "
                "commit with your name.",
                hint='git config --global user.name "Your Name" && '
                "git config --global user.email you@example.org",
            )


def check_work_dir(path: Path) -> None:
    """Refuse a scratch folder that is missing or cannot be written to."""
    if not path.is_dir():
        raise WorkflowFailure(
            f"common.work_dir {path} does not exist or is no folder.",
            hint=f"make it (mkdir -p '{path}'), or name another one.",
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise WorkflowFailure(
            f"common.work_dir {path} cannot be written to.",
            hint="name a folder that you own, on a disk with space.",
        )


def check_scratch(study: Study, units: Units) -> None:
    """Refuse a scratch folder without room for the largest unit's inputs."""
    largest = max(units.units, key=lambda unit: unit.bytes)
    free = shutil.disk_usage(study.work_dir).free
    if free < largest.bytes + 2**20:
        raise WorkflowFailure(
            f"common.work_dir {study.work_dir} has {free / 2**20:.0f} MB free, but the inputs of "
            f"{largest.name} alone take {largest.bytes / 2**20:.0f} MB.",
            hint="free some space there, or name a folder on a larger disk.",
            failure_class=FailureClass.NO_SPACE,
        )


def check_input_url(url: str, *, key: str) -> None:
    """Refuse a local input that is not there, before anything is cloned."""
    if is_local_path(url) and not Path(url).is_dir():
        raise WorkflowFailure(
            f"The input dataset {url} does not exist.",
            hint=f"set {key} to the path or URL of a DataLad dataset.",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        )
