"""Prepare the study dataset: what jobs clone, and what their branches start from.

Its branch `base` holds scaffolding alone: the input registered at its pinned
commit, the container, rules for what is annexed.  `main` starts there and
gathers results; jobs start from `base`, so that a clone stays small however
many units are merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..base.credentials import access_hint
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import remove_tree, write_text
from ..base.patience import patient
from ..base.runners import PRIVATE, call_annex, call_datalad, call_git
from ..base.sharing import is_shared, open_to_group, share_repository
from ..base.space import space_needed
from ..checks.lock_file import leave_lock_token
from ..config import Study
from ..containers.image import image_path
from ..containers.runtimes import choose_runtime
from ..datasets.annex import is_annexed
from ..datasets.attributes import ATTRIBUTES
from ..datasets.branches import head_of
from ..datasets.clones import clone_output, resolve_version
from ..datasets.content_store import connect_content
from ..datasets.locks import exclusive, locked, wait_for_stores
from ..datasets.output_datasets import OutputDataset, is_connected, list_outputs
from ..datasets.pushes import push_annex_branch, push_refs
from ..datasets.repositories import written_folders
from ..datasets.stores import (
    BASE,
    MAIN,
    REMOTE,
    Store,
    StoreKind,
    forbid_cleaning,
    last_line,
    list_remote_heads,
    make_bare_store,
    read_setting,
    store_exists,
)
from ..datasets.thin_clones import share_remotes
from ..records.fingerprints import preparation
from ..records.prepared import Prepared, write_prepared
from ..records.produced import connect_producer
from .scaffolding import (
    commit_changes,
    mark_dataset,
    refuse_registered_outputs,
    register_container,
    register_output,
    write_scaffolding,
)


def prepare_study(
    study: Study, *, commit: str, image_id: str, further: Mapping[str, str]
) -> Prepared:
    """Bring the study dataset and the output store up to date with the study.

    `commit` is the input's, `further` has that of each further input by path.
    Writes and returns what jobs need to know.  Doing it again changes nothing.
    """
    with (
        space_needed("Preparing the study", written_folders(study)),
        patient(study.wait_minutes),
    ):
        return prepare(study, commit=commit, image_id=image_id, further=further)


def prepare(study: Study, *, commit: str, image_id: str, further: Mapping[str, str]) -> Prepared:
    """As `prepare_study`; a full disk ends it with the error of whatever could not write."""
    *outputs, output = list_outputs(study)
    with locked(study.lock_file), exclusive(study):
        wait_for_stores(study)
        bases = {target.path: prepare_output(study, target) for target in outputs}
        open_dataset(study, output)
        refuse_registered_outputs(study)
        registered = {**further, **connect_producers(study)}
        write_scaffolding(study, commit, registered, image_id=image_id)
        for target in outputs:
            register_output(study, target, bases[target.path])
        key = register_container(study, image_id)
        base = call_git(["rev-parse", "HEAD"], cwd=study.dataset)
        connect_store(study, output)
        fetch_image(study, output.store, key)
        publish_base(study, output)
    share_remotes(study.dataset)
    prepared = Prepared(
        dataset_id=read_setting(study.dataset, base, "datalad.dataset.id"),
        bases={**bases, output.path: base},
        input_commit=commit,
        further_commits=dict(further),
        container_key=key,
        image=image_id,
        runtime=choose_runtime(study),
        identity=own_identity(study.dataset),
        lock_token=leave_lock_token(study),
        made_from=preparation(study, commit, image_id, further),
    )
    write_prepared(study, prepared)
    return prepared


def connect_producers(study: Study) -> dict[str, str]:
    """Clone the datasets of other studies' results; returns path -> the commit without results.

    Main registers what was read when it holds results that were made from it.

    Raises `WorkflowFailure` where one cannot be cloned.
    """
    commits = {}
    for further in study.produced_inputs:
        connect_producer(further)
        commits[further.path] = head_of(further.clone, f"refs/remotes/origin/{BASE}") or (
            resolve_version(further.clone, further.url, "", key="datalad.inputs")
        )
    return commits


def own_identity(repository: Path) -> tuple[str, str]:
    """Name and address that git signs with here; a node may have none."""
    name, _, rest = call_git(["var", "GIT_AUTHOR_IDENT"], cwd=repository).partition(" <")
    return name, rest.partition(">")[0]


def prepare_output(study: Study, target: OutputDataset) -> str:
    """Bring an output that is a dataset of its own up to date; returns the commit of its base."""
    dataset = target.dataset
    open_dataset(study, target)
    write_text(dataset / ".gitattributes", ATTRIBUTES)
    mark_dataset(study, target)
    call_git(["add", ".gitattributes"], cwd=dataset)
    commit_changes(dataset, f"Mark the dataset as {target.path} of {study.name}")
    connect_store(study, target)
    publish_base(study, target)
    share_remotes(dataset)
    return call_git(["rev-parse", "HEAD"], cwd=dataset)


def open_dataset(study: Study, target: OutputDataset) -> None:
    """Make a dataset with `base` checked out: cloned from its store, or new."""
    store, dataset = target.store, target.dataset
    if store_exists(store) and BASE in list_remote_heads(store):
        clone_output(target, study)
        call_git(["fetch", "-q", REMOTE], cwd=dataset)
        call_git(["checkout", "-q", "-f", "-B", BASE, f"{REMOTE}/{BASE}"], cwd=dataset)
    elif not (dataset.exists() and head_of(dataset, "HEAD")):
        # It is not there, or the clone of a store that holds nothing yet.
        if dataset.exists():
            remove_tree(dataset)
        # Under another name until it is complete: a killed run leaves no incomplete dataset.
        new = dataset.with_name(f".{dataset.name}.making")
        if new.exists():
            remove_tree(new)
        new.parent.mkdir(parents=True, exist_ok=True)
        call_datalad(["create", str(new)], cwd=new.parent, env=PRIVATE)
        call_git(["config", "annex.private", "true"], cwd=new)
        new.rename(dataset)
    if not head_of(dataset, BASE):
        call_git(["branch", "-q", BASE], cwd=dataset)
    call_git(["checkout", "-q", "-f", BASE], cwd=dataset)
    # Remove what a killed `containers-add` had not saved yet.
    call_git(["clean", "-q", "-ffd"], cwd=dataset)


def connect_store(study: Study, target: OutputDataset) -> None:
    """Make a store where it is missing, and add it as remote `output`."""
    store, dataset = target.store, target.dataset
    existed = store_exists(store)
    if store.kind is StoreKind.BARE and store.repository:
        what = f"{target.path} of {study.name}" if target.path else study.name
        make_bare_store(store.repository, f"output store of {what}")
    known = is_connected(target)
    if store.kind is StoreKind.RIA and not (known and existed):
        head, _, _ = store.url.partition("#")
        shared = ["--shared", "group"] if study.group_store else []
        call_datalad(
            ["create-sibling-ria", "-s", REMOTE, "--alias", store.alias, "--new-store-ok"]
            + [*shared, "--existing", "reconfigure", head],
            cwd=dataset,
        )
    elif not known:
        # Not by `git remote add`: it refuses a remote that a killed run added half.
        heads = f"+refs/heads/*:refs/remotes/{REMOTE}/*"
        for name, value in (("url", store.git_url), ("fetch", heads)):
            call_git(["config", "--replace-all", f"remote.{REMOTE}.{name}", value], cwd=dataset)
    elif store.kind is StoreKind.OTHER:
        # Earlier versions wrote the credentials of the URL there.
        call_git(["remote", "set-url", REMOTE, store.git_url], cwd=dataset)
    if store.repository:
        forbid_cleaning(store.repository)
        if study.group_store:
            share_store(store, made=not existed)
    if store.repository and store.kind is StoreKind.BARE:
        uuid = call_git(["config", "annex.uuid"], cwd=store.repository)
        call_git(["config", f"remote.{REMOTE}.annex-uuid", uuid], cwd=dataset)
    if store.content:
        connect_content(store, dataset)


def share_store(store: Store, *, made: bool) -> None:
    """Make a store one of its group; `made` says that it was made just now.

    Raises `WorkflowFailure` where it belongs to somebody else and is none.
    """
    repository = store.mounted
    if not made and is_shared(repository):
        return
    try:
        share_repository(repository.resolve())
    except CommandError as e:
        raise WorkflowFailure(
            f"The output store {store.url} cannot be made one of its group: {last_line(e.stderr)}",
            hint="ask its owner to run this study once with datalad.shared: group.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e
    if store.kind is StoreKind.RIA:
        # The folders around the repository: for other datasets, and for aliases.
        for folder in (*repository.resolve().parents[:2], repository.parent):
            open_to_group(folder)


def fetch_image(study: Study, store: Store, key: str) -> None:
    """Fetch the image's content once, to where jobs link to it."""
    source = study.dataset
    args, place = ["get", "-q", "--", image_path(study)], store.url
    if study.container.dataset:
        source, place = study.containers, study.container.dataset
        if not is_annexed(source):
            return
        args = ["get", "-q", "--key", key]
    try:
        call_annex(args, cwd=source)
    except CommandError as e:
        raise WorkflowFailure(
            f"The container image {image_path(study)} cannot be fetched from {place}: "
            f"{last_line(e.stderr)}",
            hint="check that it is complete and reachable.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e


def publish_base(study: Study, target: OutputDataset) -> None:
    """Push the image's content, then `base`, then `main` where there is none yet."""
    store, dataset = target.store, target.dataset
    try:
        if store.kind is StoreKind.OTHER:
            # A repository elsewhere becomes one of git-annex when it has that branch.
            push_annex_branch(target)
        if not target.path and is_annexed(dataset) and not study.container.dataset:
            call_annex(
                ["copy", "-q", "--to", store.content_remote, "--", ".datalad/environments"],
                cwd=dataset,
            )
        refs = [f"{BASE}:{BASE}"]
        if MAIN not in list_remote_heads(store):
            refs.append(f"{BASE}:{MAIN}")
        push_refs([REMOTE, *refs], cwd=dataset)
        push_annex_branch(target)
    except CommandError as e:
        raise WorkflowFailure(
            f"The study dataset cannot be pushed to {store.url}: {last_line(e.stderr)}",
            hint=access_hint(store.git_url, e.stderr)
            or "check that the output store is writable and has space; nothing is lost.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e
