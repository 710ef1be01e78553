"""What the output dataset has registered: commits of inputs and of the container dataset.

A clone of the output dataset that was made anew knows from them which commits
the study uses.
"""

from __future__ import annotations

from ..base.errors import CommandError, WorkflowFailure
from ..base.runners import call_git
from ..config import Study
from ..config.study import FurtherInput
from .branches import head_of
from .imports import source_url
from .stores import BASE, REMOTE, read_setting

VERSION_SETTING = "bidsloom.input-version"
CONTAINERS_SETTING = "bidsloom.containers-version"
# Where a container dataset is registered inside the output dataset.
CONTAINERS_PATH = "containers"


def registered_input(study: Study) -> str | None:
    """The input commit that the output dataset has registered, if it is of this version.

    Raises `WorkflowFailure` where the input does not have that commit: the
    store then belongs to a study of another dataset.
    """
    commit, version = registered(study, study.input_path, VERSION_SETTING)
    if commit and not head_of(study.input, commit):
        if registered_url(study, study.input_path) == source_url(study.input_url, study.imports):
            return None  # the dataset of a folder was lost, and made again
        raise WorkflowFailure(
            f"The output store {study.output_url} holds results of an input commit "
            f"{commit[:10]}, which {study.input_url} does not have: it is another dataset.",
            hint="give this study its own output store, or correct datalad.input_repo.",
        )
    return commit if version == study.input_version else None


def registered_containers(study: Study) -> str | None:
    """The container dataset's commit that the output dataset has registered, if it is valid."""
    commit, version = registered(study, CONTAINERS_PATH, CONTAINERS_SETTING)
    if not commit or not head_of(study.containers, commit):
        return None
    return commit if version == study.container.dataset_version else None


def registered_further(study: Study, further: FurtherInput) -> str | None:
    """The further input's commit that the output dataset has registered, if it is valid."""
    commit, version = registered(study, further.path, further_setting(further.path))
    if not commit or not head_of(further.clone, commit):
        return None
    return commit if version == further.version else None


def further_setting(path: str) -> str:
    """The setting of the output dataset that names the version of a further input."""
    return f"bidsloom.{path}.version"


def registered(study: Study, path: str, setting: str) -> tuple[str | None, str]:
    """The registered commit of a subdataset of the output dataset, and its version's setting."""
    base = head_of(study.dataset, f"{REMOTE}/{BASE}") if study.dataset.exists() else None
    if base is None:
        return None, ""
    try:
        commit = call_git(["rev-parse", f"{base}:{path}"], cwd=study.dataset)
    except CommandError:
        return None, ""
    return commit, read_setting(study.dataset, base, setting) or ""


def registered_url(study: Study, path: str) -> str | None:
    """The URL that the output dataset has registered for a subdataset, if there is one."""
    modules = f"refs/remotes/{REMOTE}/{BASE}:.gitmodules"
    try:
        return call_git(
            ["config", "--blob", modules, "--get", f"submodule.{path}.url"], cwd=study.dataset
        )
    except CommandError:
        return None
