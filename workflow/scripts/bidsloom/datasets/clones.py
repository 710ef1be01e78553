"""The study's own clones: of inputs, of the container dataset, and of output datasets.

They are cloned without a work tree, and are private: no location log mentions
them.  Functions named `pin_...` clone a dataset if that is still to do, and
return the commit that the study uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ..base.credentials import access_hint
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import read_json, remove_tree, write_json
from ..base.patience import outlast
from ..base.runners import PRIVATE, call_datalad, call_git, call_git_success
from ..base.space import no_space, says_full
from ..config import Study
from ..config.study import FurtherInput
from .branches import head_of
from .imports import InputSource, connect_folder, open_source
from .output_datasets import OutputDataset, check_owner
from .registered import registered_containers, registered_further, registered_input
from .stores import (
    MAIN,
    REMOTE,
    StoreKind,
    last_line,
    refuse_strangers,
    store_at,
)
from .thin_clones import share_remotes
from .web_remotes import look_again, may_be_unread


def clone_output(output: OutputDataset, study: Study) -> None:
    """Clone the dataset that a store holds, unless the clone exists.

    A dataset that does not know its store was made by a run that died before
    it pushed anything: it is made again, from what the store holds.

    Raises `WorkflowFailure` where it cannot be cloned, or is another study's.
    """
    store, dataset = output.store, output.dataset
    known = ["config", f"remote.{REMOTE}.fetch"]
    if dataset.exists() and not call_git_success(known, cwd=dataset):
        remove_tree(dataset)
    if not dataset.exists():
        clone(store.clone_url, dataset, key="datalad.output_repos", remote=REMOTE)
        if store.kind is StoreKind.RIA:
            # git-annex pushes nothing while a special remote that another clone made
            # is unverified; this one is the store that the config names.
            verified = f"remote.{store.content_remote}.annex-verified"
            call_git(["config", verified, "verified"], cwd=dataset)
        share_remotes(dataset)
    check_owner_of_clone(output, study)


def check_owner_of_clone(output: OutputDataset, study: Study) -> None:
    """Refuse a dataset of another study, and remove its clone.

    Mounted stores were checked before they were cloned.
    """
    if output.store.repository is None and head_of(output.dataset, f"{REMOTE}/{MAIN}"):
        try:
            check_owner(output.dataset, f"{REMOTE}/{MAIN}", study, output)
        except WorkflowFailure:
            remove_tree(output.dataset)
            raise


def clone(url: str, target: Path, *, key: str, remote: str = "origin") -> None:
    """Clone a dataset without a work tree, completely or not at all.

    The clone is private: no location log mentions it.  `key` names the URL's
    configuration key in the error message, `remote` is what the clone calls
    the repository that it was made from.

    Raises `WorkflowFailure` where the dataset cannot be cloned.
    """
    temporary = target.with_name(f".{target.name}.cloning")
    if temporary.exists():
        remove_tree(temporary)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        command = ["clone", url, str(temporary), "--no-checkout"]
        outlast(lambda: call_datalad(command, cwd=target.parent, env=PRIVATE))
    except CommandError as e:
        if temporary.exists():
            remove_tree(temporary)
        if says_full(e):
            raise no_space(f"Cloning {url}", target.parent) from e
        refuse_strangers(url, e.stderr)
        raise WorkflowFailure(
            f"{url} ({key}) cannot be cloned: it is not a git repository, or cannot be reached. "
            f"git says: {clone_error(e.stderr)}",
            hint=access_hint(url, e.stderr) or f"try it by hand: datalad clone '{url}' /tmp/try-it",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        ) from e
    call_git(["config", "annex.private", "true"], cwd=temporary)
    if remote != "origin":
        call_git(["remote", "rename", "origin", remote], cwd=temporary)
    temporary.rename(target)


def clone_error(text: str) -> str:
    """Git's own error message, out of DataLad's report of a failed clone."""
    fatal = [line for line in text.splitlines() if "fatal: " in line]
    return fatal[-1].partition("fatal: ")[2].strip("'] ") if fatal else last_line(text)


def fetch_origin(clone: Path) -> None:
    """Fetch what is new in the dataset that a clone was made from."""
    call_git(["fetch", "-q", "--no-tags", "--prune", "origin"], cwd=clone)


def pin_input(study: Study, *, anew: bool = True) -> str:
    """Clone the input dataset if it is missing, and return the commit that the study uses.

    A version is resolved to a commit once, and again only when the
    configuration names another version.  So a branch that moves on in the
    input dataset does not change a running study.  A plain folder has no
    versions: it is imported, and its newest state is used; without `anew`,
    that of the last start.

    Raises `WorkflowFailure` where the dataset or the version cannot be had.
    """
    version, key = study.input_version, "datalad.input_repo"
    if not anew and (commit := pinned_commit(study.input)):
        return commit
    source = open_source(study.input_url, study.imports, key=key, skip=parts_to_skip(study))

    def resolve() -> str:
        commit = registered_input(study)
        if source.commit and not version:
            return source.commit
        return commit or resolve_version(
            study.input, study.input_url, version, key="datalad.input_version"
        )

    return pin(study.input, source, version, key=key, resolve=resolve)


def parts_to_skip(study: Study) -> set[str]:
    """Folders at the root of the input that no job sees; of a plain one they are not imported."""
    seen = {path.partition("/")[0] for path in (*study.shared_paths, study.input_folder)}
    return {"derivatives", "sourcedata"} - seen


def pinned_commit(target: Path) -> str | None:
    """The commit of a clone that the last start used; None where there was none."""
    known = read_json(memory_of(target)) if target.exists() else None
    return known["commit"] if known else None


def left_out_of(target: Path) -> dict[str, str]:
    """Why entries of an imported folder are not in the clone of its dataset."""
    return (read_json(memory_of(target)) or {}).get("left_out", {})


def memory_of(target: Path) -> Path:
    """The file beside a clone with the commit that a version was resolved to."""
    return target.with_name(f"{target.name}.json")


def pin_containers(study: Study) -> str:
    """Clone the container dataset if it is missing, and return the commit that the study uses.

    Raises `WorkflowFailure` where the dataset or the version cannot be had.
    """
    url, version = study.container.dataset, study.container.dataset_version
    return pin(
        study.containers,
        InputSource(url),
        version,
        key="container.dataset",
        resolve=lambda: (
            registered_containers(study)
            or resolve_version(study.containers, url, version, key="container.dataset_version")
        ),
    )


def pin(
    target: Path, source: InputSource, version: str, *, key: str, resolve: Callable[[], str]
) -> str:
    """Clone a dataset to `target`, once, and remember the commit of a version beside it.

    `resolve` returns the commit, once the clone has the dataset's newest state.

    Raises `WorkflowFailure` where the dataset cannot be cloned.
    """
    memory, url = memory_of(target), source.url
    asked: dict[str, object] = {"url": url, "version": version or source.commit}
    if source.left_out:
        asked["left_out"] = dict(source.left_out)
    known = read_json(memory) or {}
    if target.exists() and may_be_unread(target):
        look_again(target)
        share_remotes(target)
    if target.exists() and {k: v for k, v in known.items() if k != "commit"} == asked:
        return known["commit"]
    if target.exists() and known.get("url") != url:
        remove_tree(target)
    if not target.exists():
        clone(url, target, key=key)
    else:
        call_git(["fetch", "-q", "--tags", "origin"], cwd=target)
    if source.commit:
        connect_folder(Path(url), target)
    share_remotes(target)
    commit = resolve()
    write_json(memory, {**asked, "commit": commit})
    return commit


def pin_further(study: Study, subjects: Iterable[str] = (), *, anew: bool = True) -> dict[str, str]:
    """Clone further inputs that are missing, and return path -> the commit that the study uses.

    Of a pattern of datasets, those of `subjects` (labels) that exist.  `anew`
    is as for `pin_input`.  Results of other studies have no commit for all units.

    Raises `WorkflowFailure` where a dataset or its version cannot be had.
    """
    commits, subjects = {}, list(subjects)
    for further in study.further_inputs:
        if further.producer:
            continue
        if not further.is_pattern:
            commits[further.path] = pin_one(study, further, anew=anew)
            continue
        for one in map(further.of, subjects):
            # Whether one on another machine is missing cannot be told from other failures.
            repository = store_at(one.url, name="").repository
            if repository is None or repository.exists():
                commits[one.path] = pin_one(study, one, anew=anew)
    return commits


def pin_one(study: Study, further: FurtherInput, *, anew: bool) -> str:
    """Clone a further input if it is missing, and return the commit that the study uses."""
    clone, url, version, key = further.clone, further.url, further.version, "datalad.inputs"
    if not anew and (commit := pinned_commit(clone)):
        return commit
    source = open_source(url, study.imports, key=key)

    def resolve() -> str:
        if source.commit and not version:
            return source.commit
        return registered_further(study, further) or resolve_version(clone, url, version, key=key)

    commit = pin(clone, source, version, key=key, resolve=resolve)
    if not call_git_success(["cat-file", "-e", further.tree(commit)], cwd=clone):
        raise WorkflowFailure(
            f"The further input {url} has no folder {further.folder} at {commit[:10]}.",
            hint=f"correct folder of datalad.inputs; list its files: git -C '{clone}' ls-tree "
            f"-d --name-only {commit} derivatives/",
        )
    return commit


def resolve_version(clone: Path, url: str, version: str, *, key: str) -> str:
    """The commit that a version (branch, tag, commit; empty: the default branch) names.

    Raises `WorkflowFailure` where there is no such version.
    """
    names = [f"refs/remotes/origin/{version}", f"refs/tags/{version}", version]
    for name in names if version else ["HEAD"]:
        if not name.startswith("-") and (commit := head_of(clone, name)):
            return commit
    if not version:
        raise WorkflowFailure(
            f"The dataset {url} has no commits.",
            hint="save its content first: datalad save",
        )
    raise WorkflowFailure(
        f"{key} {version!r} is not a branch, tag or commit of {url}.",
        hint=f"list them: git -C '{clone}' branch -r; git -C '{clone}' tag",
    )
