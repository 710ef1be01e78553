"""The datasets that jobs write to, and whether their stores belong to this study.

These are the output dataset and, for each output folder with its own
repository, a subdataset of it.  Jobs and merges treat all of them alike, in
this order: first the subdatasets, then the output dataset.  A result in a
subdataset counts when the output dataset registers its commit.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import call_git, call_git_success
from ..base.sharing import is_shared, join_group
from ..config import Study
from .stores import (
    BASE,
    MAIN,
    REMOTE,
    RIA,
    Store,
    StoreKind,
    is_git_directory,
    is_half_made_store,
    list_remote_heads,
    read_setting,
    store_at,
    store_exists,
)

# Settings committed in a dataset, which identify the study that its store belongs to.
STUDY_SETTING = "bidsloom.study"
APP_SETTING = "bidsloom.app"
OUTPUT_SETTING = "bidsloom.output"


@dataclass(frozen=True)
class OutputDataset:
    """A dataset that jobs write to: the output dataset, or a subdataset of it.

    `path` is its path in the output dataset, empty for the output dataset
    itself; `dataset` is the study's own clone of it.
    """

    path: str
    dataset: Path
    store: Store

    def holds(self, path: str) -> bool:
        """True where a path of the output dataset is this dataset's folder, or is inside it."""
        return not self.path or f"{path}/".startswith(f"{self.path}/")

    def inside(self, path: str) -> str:
        """A path of the output dataset, relative to this dataset (`.` for its folder).

        Raises `ValueError` where the path is not inside this dataset.
        """
        return str(PurePosixPath(path).relative_to(self.path)) if self.path else path

    def outside(self, path: str) -> str:
        """A path of this dataset, relative to the output dataset."""
        return f"{self.path}/{path}" if self.path else path


def owner_of(path: str, outputs: Iterable[OutputDataset]) -> OutputDataset:
    """The dataset that holds a path; in `outputs`, the output dataset comes last."""
    return next(output for output in outputs if output.holds(path))


def main_output(study: Study) -> OutputDataset:
    """The output dataset."""
    store = open_store(study, study.output_url, study.name)
    return OutputDataset("", study.dataset, replace(store, content=study.output_content))


def list_further_outputs(study: Study) -> list[OutputDataset]:
    """The output folders that are separate datasets."""
    return [
        OutputDataset(
            further.path,
            further.dataset,
            open_store(study, further.url, f"{study.name}-{further.path.replace('/', '-')}"),
        )
        for further in study.further_outputs
    ]


def open_store(study: Study, url: str, name: str) -> Store:
    """The store at a URL; from now on, this process is a member of the group that it is for."""
    store = store_at(url, name=name)
    if store.repository and (study.group_store or is_shared(store.repository)):
        join_group(store.repository)
    return store


def list_outputs(study: Study) -> list[OutputDataset]:
    """Every dataset that jobs write to; the output dataset comes last."""
    return [*list_further_outputs(study), main_output(study)]


def check_output_store(output: OutputDataset, study: Study) -> bool:
    """True where the store holds this output of the study, False where it is empty or missing.

    It changes nothing.  Raises `WorkflowFailure` where the store holds
    something else, cannot be written to, or cannot be reached.
    """
    store = output.store
    if store.repository is None:
        if store.kind is StoreKind.OTHER and store.url.startswith(RIA):
            raise WorkflowFailure(
                f"The output store {store.url} is of a kind that jobs cannot push to.",
                hint="use ria+ssh://, ria+file:// on a mounted file system, a path, or the URL of "
                "a git repository.",
            )
        if store_exists(store):
            return bool(list_remote_heads(store))
        refuse_unknown_id(store)
        return False
    check_writable(store.repository)
    if not os.path.lexists(store.repository):
        refuse_unknown_id(store)
        return False
    if not store.repository.is_dir():
        raise foreign(store, "a file")
    if not any(store.repository.iterdir()):
        return False
    if not is_git_directory(store.repository):
        if is_half_made(output):
            return False
        raise foreign(store, "a folder that is no bare git repository")
    # git-annex makes its branch before anything is pushed.  A killed run may
    # have pushed base, but not main yet.
    heads = set(list_remote_heads(store)) - {"git-annex"}
    if heads:
        check_owner(store.repository, BASE if BASE in heads else MAIN, study, output)
    return bool(heads)


def refuse_unknown_id(store: Store) -> None:
    """Refuse a RIA store without the dataset whose id its URL has; an alias would be made."""
    if store.kind is StoreKind.RIA and not store.alias:
        raise WorkflowFailure(
            f"The output store {store.url} names a dataset id that does not exist there.",
            hint="name an alias instead, such as ria+file:///path#~name; it is made if it is "
            "missing.",
        )


def is_half_made(output: OutputDataset) -> bool:
    """True where a killed run of this study has started to make its store."""
    if output.store.kind is StoreKind.BARE:
        return is_half_made_store(output.store.mounted)
    if output.store.kind is not StoreKind.RIA or not output.dataset.exists():
        return False
    folder = output.store.mounted.resolve()
    settings = output.dataset / ".datalad" / "config"
    try:
        own = call_git(
            ["config", "--file", str(settings), "datalad.dataset.id"], cwd=output.dataset
        )
    except CommandError:
        return False
    return own == f"{folder.parent.name}{folder.name}"


def is_connected(output: OutputDataset) -> bool:
    """True where the study's clone of a dataset knows its store, with all that takes.

    Several settings are needed, and a run may die after each of them.
    """
    if not output.dataset.exists():
        return False
    needed = [f"remote.{REMOTE}.url", f"remote.{REMOTE}.fetch"]
    if output.store.kind is StoreKind.RIA:
        needed.append(f"remote.{output.store.content_remote}.annex-uuid")
    return all(call_git_success(["config", name], cwd=output.dataset) for name in needed)


def foreign(store: Store, what: str) -> WorkflowFailure:
    """The failure for a store that does not belong to this study; `what` says what it is."""
    return WorkflowFailure(
        f"The output store {store.url} is {what}, not the output dataset of this study.",
        hint="set datalad.output_repos (or the output's repo) to a path that does not exist yet "
        "(it is made), or to the store of this study.",
    )


def check_owner(repository: Path, revision: str, study: Study, output: OutputDataset) -> None:
    """Refuse a store whose branch is not of this output of this study."""
    found = read_setting(repository, revision, STUDY_SETTING)
    if found is None:
        raise foreign(output.store, "a repository with other content")
    if found != study.name:
        raise foreign(output.store, f"the output dataset of study {found!r}")
    app = read_setting(repository, revision, APP_SETTING)
    if app != study.container.name:
        # Results of this app would replace those of the other one.
        raise foreign(output.store, f"the output dataset of the app {app!r}")
    path = read_setting(repository, revision, OUTPUT_SETTING) or ""
    if path != output.path:
        what = f"the output {path!r}" if path else "the output dataset itself"
        raise foreign(output.store, f"that of {what}")


def check_writable(path: Path) -> None:
    """Refuse a path that cannot be written to, or cannot be made."""
    folder = path
    while not os.path.lexists(folder):
        folder = folder.parent
    try:
        # This file never has a name, so nobody sees it.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as e:
        raise WorkflowFailure(
            f"The output store {path} cannot be written to: {folder}: {e.strerror}.",
            hint="check datalad.output_repos, your permissions and the quota there.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e
