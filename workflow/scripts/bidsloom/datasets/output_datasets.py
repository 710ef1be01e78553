"""The datasets that jobs write to, and whether their stores are this study's.

There is the output dataset, and each output folder with a repository of its
own is a subdataset of it.  Jobs and merges treat them alike: the subdatasets
first, then the output dataset, which names their commits and thereby makes
them count.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import call_git
from ..config import Study
from .stores import (
    BASE,
    MAIN,
    Store,
    StoreKind,
    is_git_directory,
    list_remote_heads,
    read_setting,
    store_at,
)

# Committed in a dataset: the marks by which its store is known again.
STUDY_SETTING = "bidsloom.study"
APP_SETTING = "bidsloom.app"
OUTPUT_SETTING = "bidsloom.output"


@dataclass(frozen=True)
class OutputDataset:
    """A dataset that jobs write to: its place in the output dataset (empty for that itself),
    the study's own clone of it, and its store.
    """

    path: str
    dataset: Path
    store: Store

    def holds(self, path: str) -> bool:
        """True where a path of the output dataset is this dataset's folder, or lies in it."""
        return not self.path or f"{path}/".startswith(f"{self.path}/")

    def inside(self, path: str) -> str:
        """A path of the output dataset, relative to this dataset (`.` for its folder)."""
        return str(PurePosixPath(path).relative_to(self.path)) if self.path else path

    def outside(self, path: str) -> str:
        """A path of this dataset, relative to the output dataset."""
        return f"{self.path}/{path}" if self.path else path


def owner_of(path: str, targets: Iterable[OutputDataset]) -> OutputDataset:
    """The dataset in which a path of the output dataset lies; that itself comes last."""
    return next(target for target in targets if target.holds(path))


def main_output(study: Study) -> OutputDataset:
    """The output dataset."""
    return OutputDataset("", study.dataset, store_at(study.output_url, name=study.name))


def list_further_outputs(study: Study) -> list[OutputDataset]:
    """The output folders that are datasets of their own."""
    return [
        OutputDataset(
            further.path,
            further.dataset,
            store_at(further.url, name=f"{study.name}-{further.path.replace('/', '-')}"),
        )
        for further in study.further_outputs
    ]


def list_outputs(study: Study) -> list[OutputDataset]:
    """Every dataset that jobs write to; the output dataset comes last."""
    return [*list_further_outputs(study), main_output(study)]


def check_output_store(target: OutputDataset, study: Study) -> bool:
    """True where the store holds this target of the study, false where it is empty or missing.

    Looks only.  Raises `WorkflowFailure` where it holds something else, cannot
    be written to, or cannot be reached.
    """
    store = target.store
    if store.repository is None:
        if store.url.startswith("ria+"):
            raise WorkflowFailure(
                f"The output store {store.url} is of a kind that jobs cannot push to.",
                hint="use ria+file:// on a mounted file system, a path, or the URL of a "
                "git repository.",
            )
        return bool(list_remote_heads(store))
    check_writable(store.repository)
    if not os.path.lexists(store.repository):
        if store.kind is StoreKind.RIA and not store.alias:
            raise WorkflowFailure(
                f"The output store {store.url} names a dataset id that is not there.",
                hint="name an alias instead, ria+file:///path#~name; it is made when missing.",
            )
        return False
    if not store.repository.is_dir():
        raise foreign(store, "a file")
    if not any(store.repository.iterdir()):
        return False
    if not is_git_directory(store.repository):
        if is_half_made(target):
            return False
        raise foreign(store, "a folder that is no bare git repository")
    # git-annex makes its branch before anything is pushed; a killed run may
    # have pushed base and not yet main.
    heads = set(list_remote_heads(store)) - {"git-annex"}
    if heads:
        check_owner(store.repository, BASE if BASE in heads else MAIN, study, target)
    return bool(heads)


def is_half_made(target: OutputDataset) -> bool:
    """True where a killed run of this very study had begun to make its RIA store."""
    if target.store.kind is not StoreKind.RIA or not target.dataset.exists():
        return False
    place = target.store.repository.resolve()
    settings = target.dataset / ".datalad" / "config"
    try:
        own = call_git(
            ["config", "--file", str(settings), "datalad.dataset.id"], cwd=target.dataset
        )
    except CommandError:
        return False
    return own == f"{place.parent.name}{place.name}"


def foreign(store: Store, what: str) -> WorkflowFailure:
    """A letter about a store that is not ours to write to."""
    return WorkflowFailure(
        f"The output store {store.url} is {what}, not the output dataset of this study.",
        hint="give datalad.output_repos (or the output's repo) a path that does not exist yet "
        "(it is made), or the store of this very study.",
    )


def check_owner(repository: Path, revision: str, study: Study, target: OutputDataset) -> None:
    """Refuse a store whose branch is not this target of the study."""
    found = read_setting(repository, revision, STUDY_SETTING)
    if found is None:
        raise foreign(target.store, "a repository with other content")
    if found != study.name:
        raise foreign(target.store, f"the output dataset of study {found!r}")
    app = read_setting(repository, revision, APP_SETTING)
    if app != study.container.name:
        # Its results would replace the other app's.
        raise foreign(target.store, f"the output dataset of the app {app!r}")
    output = read_setting(repository, revision, OUTPUT_SETTING) or ""
    if output != target.path:
        raise foreign(target.store, f"that of the output {output or 'dataset as a whole'!r}")


def check_writable(path: Path) -> None:
    """Refuse a path that cannot be written to, nor made."""
    folder = path
    while not os.path.lexists(folder):
        folder = folder.parent
    try:
        # A nameless file: nobody ever sees it.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as e:
        raise WorkflowFailure(
            f"The output store {path} cannot be written to: {folder}: {e.strerror}.",
            hint="check datalad.output_repos, your permissions and the quota there.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e
