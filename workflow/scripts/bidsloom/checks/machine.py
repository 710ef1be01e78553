"""Single checks of the machine: programs, identity, modules, scratch folder, input.

Functions named `check_...` raise `WorkflowFailure` where something is wrong;
functions named `tell_...` return, for the table, what is there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import (
    call,
    call_git,
    call_git_success,
    git_version,
    node_name,
    refuse_old_git,
)
from ..config import Study
from ..config.values import is_local_path
from ..containers.runtimes import Runtime
from ..datasets.folders import plain_folder
from ..datasets.imports import unreadable
from ..units.unit import Units
from .findings import Caution


def check_tools() -> None:
    """Refuse a machine without the programs that every job needs, or with an old git."""
    for tool in ("git", "git-annex"):
        check_program(tool)
    refuse_old_git()


def check_program(name: str) -> None:
    """Refuse a machine without a program."""
    if shutil.which(name) is None:
        raise WorkflowFailure(
            f"The program {name} was not found on PATH.",
            hint=f"load its module (module load {name}), or run `make setup` and start "
            "snakemake from the environment it makes.",
        )


def tell_tools() -> str:
    """Versions of the programs and packages that a job uses."""
    # Not at the top: every job imports this module.
    from importlib.metadata import version

    annex = call(["git-annex", "version", "--raw"], cwd=Path("/")).decode().partition("-")[0]
    versions = [f"git {git_version()}", f"git-annex {annex}"]
    packages = ("datalad", "datalad-container", "snakemake")
    versions += [f"{name} {version(name)}" for name in packages]
    return ", ".join(versions)


def tell_version(program: str) -> str:
    """The first line that a program prints for `--version`."""
    try:
        return call([program, "--version"], cwd=Path("/"), timeout=60).decode().split("\n")[0]
    except (CommandError, OSError):
        return f"{program} of unknown version"


def check_identity() -> None:
    """Refuse a machine where git has no name and address for commits."""
    # `git var GIT_COMMITTER_IDENT` does not help: it makes up an address from the host's name.
    for setting, variable in (("user.name", "NAME"), ("user.email", "EMAIL")):
        given = all(os.environ.get(f"GIT_{who}_{variable}") for who in ("AUTHOR", "COMMITTER"))
        if not given and not call_git_success(["config", "--get", setting], cwd=Path.cwd()):
            raise WorkflowFailure(
                f"git does not know who you are: {setting} is not set, and every result is a "
                "commit with your name.",
                hint='git config --global user.name "Your Name" && '
                "git config --global user.email you@example.org",
            )


def tell_identity() -> str:
    """The name and address of commits."""
    return call_git(["var", "GIT_AUTHOR_IDENT"], cwd=Path("/")).rpartition(">")[0] + ">"


def check_account(runtime: Runtime | None) -> None:
    """Warn root: what an app does to the machine is then done with root's rights."""
    if os.geteuid() != 0:
        return
    kernel = "the app can change the kernel's settings in /proc/sys"
    open_to_root: dict[Runtime | None, str] = {
        Runtime.NONE: "the app runs without a container, and can change everything here",
        Runtime.APPTAINER: kernel,
        Runtime.SINGULARITY: kernel,
        Runtime.CHARLIECLOUD: f"{kernel}, and the processes of this machine",
    }
    what = open_to_root.get(runtime, "a fault of the container runtime opens all of the machine")
    raise Caution(
        f"You are root: {what}.",
        hint="start snakemake as an ordinary user; docs/how-to/container.md has what each "
        "runtime isolates.",
    )


def check_modules(study: Study) -> None:
    """Refuse a node of the cluster where a module of `hpc.modules` is not loaded."""
    # `module load` of a missing module prints an error, but the job continues.
    loaded = os.environ.get("LOADEDMODULES", "").split(":")
    for module in study.resources.modules if "SLURM_JOB_ID" in os.environ else ():
        if not any(name == module or name.startswith(f"{module}/") for name in loaded):
            raise WorkflowFailure(
                f"Module {module} of hpc.modules is missing on node {node_name()}.",
                hint="correct its name (module avail), or ask for nodes that have it.",
            )


def check_work_dir(path: Path) -> None:
    """Refuse a scratch folder that is missing or cannot be written to."""
    if not path.is_dir():
        raise WorkflowFailure(
            f"common.work_dir {path} does not exist, or is not a folder.",
            hint=f"make it (mkdir -p '{path}'), or name another one.",
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise WorkflowFailure(
            f"common.work_dir {path} cannot be written to.",
            hint="name a folder that you own, on a disk with space.",
        )


def check_scratch(study: Study, units: Units) -> None:
    """Refuse a scratch folder without space for the inputs of the largest unit."""
    largest = max(units.units, key=lambda unit: unit.bytes)
    free = shutil.disk_usage(study.work_dir).free
    if free < largest.bytes + 2**20:
        raise WorkflowFailure(
            f"common.work_dir {study.work_dir} has {free / 2**20:.0f} MB free, but the inputs of "
            f"{largest.name} alone take {largest.bytes / 2**20:.0f} MB.",
            hint="free some space there, or name a folder on a larger disk.",
            failure_class=FailureClass.NO_SPACE,
        )


def tell_scratch(study: Study, units: Units) -> str:
    """The free space of the scratch folder, and how much the largest unit needs."""
    largest = max(units.units, key=lambda unit: unit.bytes)
    free = shutil.disk_usage(study.work_dir).free
    return (
        f"{study.work_dir}: {free / 2**30:,.1f} GB free, the inputs of {largest.name} take "
        f"{largest.bytes / 2**30:,.1f}"
    )


def check_input_url(url: str, *, key: str) -> None:
    """Refuse a local input that does not exist, before anything is cloned."""
    if is_local_path(url) and not Path(url).is_dir():
        raise WorkflowFailure(
            f"The input dataset {url} does not exist.",
            hint=f"set {key} to the path or URL of a DataLad dataset.",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        )
    if key == "datalad.input_repo" and (folder := plain_folder(url)):
        refuse_other_folder(folder)


def refuse_other_folder(folder: Path) -> None:
    """Refuse a plain folder that is no BIDS dataset, before anything in it is read."""
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError as e:
        raise unreadable(folder, str(e.strerror), "datalad.input_repo") from e
    if "dataset_description.json" not in names:
        raise WorkflowFailure(
            f"{folder} is not a BIDS dataset: it has no dataset_description.json. It is no git "
            "repository either.",
            hint="set datalad.input_repo to the dataset's root.",
        )
    if not any(name.startswith("sub-") for name in names):
        raise WorkflowFailure(
            f"{folder} has no subjects: there is no folder sub-<label> in it.",
            hint="check datalad.input_repo.",
        )
