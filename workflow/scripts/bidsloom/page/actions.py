"""The command line that an action of the page stands for: what a person would type."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.paths import PROFILES, SCRIPTS, SNAKEFILE
from ..config import Study
from ..scheduling.slurm import ask
from .runs import DEFAULT_CONFIG

# Action -> what follows on Snakemake's command line.
TARGETS = {
    "start": (),
    "dry_run": ("-n",),
    "check": ("check",),
    "merge": ("merge",),
    "report": ("report",),
    "job_scripts": ("job_scripts",),
    "prove": ("prove",),
    "export": ("export",),
    "unlock": ("--unlock",),
    "retry": (),
}
# Actions that may run on the cluster; the others need one CPU here.
ANYWHERE = ("start", "dry_run", "check", "prove", "retry")
ACTIONS = (*TARGETS, "accept")
# More targets than this make no command line; the whole study is started then.
MOST_TARGETS = 2000


@dataclass(frozen=True)
class Place:
    """Where jobs run: on this machine with so many `cores`, or on the `cluster`."""

    cluster: bool = False
    cores: int = 1


def has_cluster() -> bool:
    """True where SLURM answers on this machine."""
    return shutil.which("sbatch") is not None and "is UP" in ask("scontrol", "ping")


def usable_cores() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def command_of(
    study: Study,
    action: str,
    *,
    folder: Path,
    config: Path,
    place: Place,
    units: Sequence[str] = (),
) -> list[str]:
    """The command line of an action.

    Raises `WorkflowFailure` for an action without the units that it needs.
    """
    if action in ("retry", "accept") and not units:
        raise WorkflowFailure(f"{action}: no units are named.", hint="choose some in the table.")
    if action == "accept":
        script = str(SCRIPTS / "accept.py")
        return [sys.executable, script, "--config", str(config), ",".join(units)]
    command = [sys.executable, "-m", "snakemake", *own_files(folder, config)]
    if action == "unlock":
        return [*command, "--cores", "1", "--unlock"]
    if place.cluster and action in ANYWHERE:
        profile = "slurm" if (folder / "slurm").exists() else str(PROFILES / "slurm")
        command += ["--profile", profile]
    else:
        command += ["--cores", str(place.cores if action in ANYWHERE else 1)]
    command += TARGETS[action]
    if action == "retry" and len(units) <= MOST_TARGETS:
        # By the path that the rule knows, which is relative to the folder.
        command += [str(study.files.record(unit).relative_to(folder)) for unit in units]
    return command


def own_files(folder: Path, config: Path) -> list[str]:
    """The options that name the Snakefile and the config, where Snakemake does not find them."""
    options = []
    own = (folder / "Snakefile").exists()
    if not own:
        options += ["--snakefile", str(SNAKEFILE)]
    if not own or config != folder / DEFAULT_CONFIG:
        options += ["--configfile", str(config)]
    return options
