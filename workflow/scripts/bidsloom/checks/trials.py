"""Small trials of what jobs do, before the first job.

They fetch one file from the input, and push a commit to the output store and
read it back, each in the way that jobs do it.  Each trial works in its own
folder on the scratch disk.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import remove_tree
from ..base.runners import (
    call,
    call_annex,
    call_git,
    call_git_records,
    call_git_success,
    read_objects,
)
from ..config import Study
from ..datasets.annex import SYMLINK, is_annexed, key_size, link_key
from ..datasets.locks import locked
from ..datasets.output_datasets import check_writable
from ..datasets.pushes import outlive_locks, publish_command
from ..datasets.stores import BASE, Store, StoreKind, is_git_directory, last_line, list_remote_heads
from ..datasets.subdatasets import install
from ..datasets.thin_clones import CLONE, lay_out_steps, remotes_of
from ..units.subject_datasets import Part, find_parts, input_commit
from ..units.unit import Unit
from .findings import Caution
from .trial_folder import trial_folder

AS_NOBODY = ["-c", "user.name=bidsloom", "-c", "user.email=bidsloom"]


# --- the input --------------------------------------------------------------


def try_input(study: Study, commit: str, unit: Unit) -> str:
    """Fetch a unit's smallest annexed file as its job will; return what was fetched.

    Raises `WorkflowFailure` where it cannot be fetched.
    """
    if parts := find_parts(input_commit(study, commit), unit):
        return try_part(study, parts[0])
    smallest = smallest_file(study.input, commit, unit.folder) if is_annexed(study.input) else None
    if smallest is None:
        return "git has all of its content; there is nothing to fetch"
    path, key = smallest
    with trial_folder(study) as folder:
        raw = folder / "input"
        own = ["--origin", "study", *remotes_of(study.input)]
        try:
            call([*CLONE, *own, str(study.input), str(raw)], cwd=folder)
            for step in lay_out_steps(
                "structure", study.input, raw, commit, paths=[path], keys=[key]
            ):
                call(step.argv, cwd=step.cwd)
            call_annex(["get", "-q", "--", path], cwd=raw)
        except CommandError as e:
            raise WorkflowFailure(
                f"{path} cannot be fetched from {study.input_url}: {last_line(e.stderr)}",
                hint="check that the input, and the remotes that have its content, can be reached "
                "from here.",
                failure_class=FailureClass.INPUT_UNAVAILABLE,
            ) from e
    return f"fetched {path} from {study.input_url}"


def try_part(study: Study, part: Part) -> str:
    """Install a unit's dataset as its job will, and fetch its smallest annexed file.

    Raises `Caution` where that fails: the other units are processed.
    """
    commit = part.subdataset.commit
    with trial_folder(study) as folder:
        place, path = folder / "input", "nothing; git has all of its content"
        try:
            url = install(part.subdataset, cwd=folder, path=place.name)
            annexed = is_annexed(place)
            if annexed and (smallest := smallest_file(place, commit, part.inside or ".")):
                path = smallest[0]
                steps = lay_out_steps("structure", place, place, commit, paths=[path], keys=None)
                for step in steps:
                    call(step.argv, cwd=step.cwd)
                call_annex(["get", "-q", "--", path], cwd=place)
        except (CommandError, WorkflowFailure) as e:
            said = last_line(e.stderr) if isinstance(e, CommandError) else e.message
            raise Caution(
                f"{part.path}: a file of it cannot be fetched: {said}",
                hint=getattr(e, "hint", "")
                or "check that the dataset, and the remotes that have its content, can be reached "
                "from here; the other units are processed.",
            ) from e
    return f"fetched {path} of {part.path} from {url}"


def smallest_file(repository: Path, commit: str, folder: str) -> tuple[str, str] | None:
    """Path and key of a folder's smallest annexed file; only links count, not unlocked files."""
    links = {}
    for record in call_git_records(["ls-tree", "-r", "-z", commit, "--", folder], cwd=repository):
        head, _, path = record.partition("\t")
        mode, _, object_id = head.split()
        if mode == SYMLINK:
            links[path] = object_id
    targets = read_objects(links.values(), repository=repository)
    keys = [
        (path, key)
        for path, target in zip(links, targets, strict=True)
        if (key := link_key(os.fsdecode(target)))
    ]
    return min(keys, key=lambda found: key_size(found[1]), default=None)


# --- the output store -------------------------------------------------------


def try_store(study: Study, store: Store) -> str:
    """Clone the output store, push a commit to a probe branch, and read it back.

    The branch is removed again, whatever happens.  If the store does not exist
    yet, a temporary one is made in its parent folder.

    Raises `WorkflowFailure` where the commit does not arrive, and `Caution`
    where the branch cannot be removed.
    """
    with trial_folder(study) as folder, existing_store(store) as tried:
        clone = folder / "dataset"
        branch = f"probe/{study.name}-{uuid4().hex[:12]}"
        try:
            base = open_clone(tried, clone)
            message = [
                "commit-tree",
                "-p",
                base,
                "-m",
                "Probe the output store",
                f"{base}^{{tree}}",
            ]
            commit = call_git([*AS_NOBODY, *message], cwd=clone)
            call_git(["update-ref", "--no-deref", "HEAD", commit], cwd=clone)
            with locked(study.lock_file), removed_branch(tried, branch, clone):
                push = publish_command(tried, f"refs/heads/{branch}", base=base, seen="")
                outlive_locks(lambda: call(push, cwd=clone))
                back = list_remote_heads(tried, f"refs/heads/{branch}").get(branch)
        except CommandError as e:
            raise store_failure(store, last_line(e.stderr)) from e
        if back != commit:
            raise store_failure(store, f"pushed {commit[:10]}, found {(back or 'nothing')[:10]}")
        objects = tried.repository and tried.repository / "annex" / "objects"
        if objects and store.kind is StoreKind.BARE and objects.is_dir():
            check_writable(objects)
    return f"{store.url}: a commit was pushed and read back" + (
        "" if tried == store else " (in a temporary store beside it; the store is made later)"
    )


def open_clone(store: Store, clone: Path) -> str:
    """Clone the store's branch `base`, and return its commit; without one, make an empty clone."""
    if BASE in list_remote_heads(store, f"refs/heads/{BASE}"):
        call([*CLONE, "--branch", BASE, store.git_url, str(clone)], cwd=clone.parent)
        return call_git(["rev-parse", "HEAD"], cwd=clone)
    call_git(["init", "-q", str(clone)], cwd=clone.parent)
    return commit_nothing(clone)


def commit_nothing(repository: Path) -> str:
    """Make a commit without files and without a parent, and return its hash."""
    tree = call_git(["mktree"], cwd=repository, stdin="")
    return call_git([*AS_NOBODY, "commit-tree", "-m", BASE, tree], cwd=repository)


def store_failure(store: Store, words: str) -> WorkflowFailure:
    """The failure for a store that a commit did not reach."""
    return WorkflowFailure(
        f"A probe branch could not be pushed to the output store {store.url}: {words}",
        hint="check that it is mounted here, is writable, and has space.",
        failure_class=FailureClass.STORE_UNAVAILABLE,
    )


@contextlib.contextmanager
def existing_store(store: Store) -> Iterator[Store]:
    """The store, or where it does not exist yet, a temporary one in its parent folder.

    Raises `WorkflowFailure` where nothing can be written there.
    """
    if store.repository is None or is_git_directory(store.repository):
        yield store
        return
    parent = store.repository.parent
    while not os.path.lexists(parent):
        parent = parent.parent
    check_writable(parent)
    temporary = Path(tempfile.mkdtemp(prefix=".bidsloom-check-", dir=parent))
    try:
        call_git(["init", "-q", "--bare"], cwd=temporary)
        call_git(["update-ref", f"refs/heads/{BASE}", commit_nothing(temporary)], cwd=temporary)
        yield Store(str(temporary), StoreKind.BARE, temporary)
    finally:
        remove_tree(temporary)


@contextlib.contextmanager
def removed_branch(store: Store, branch: str, clone: Path) -> Iterator[None]:
    """Remove a branch of the store at the end, whatever happens.

    Raises `Caution` where it cannot be removed.
    """
    try:
        yield
    finally:
        ref = f"refs/heads/{branch}"
        if store.repository:
            removal = [f"--git-dir={store.repository}", "update-ref", "-d", ref]
        else:
            removal = ["push", "-q", store.git_url, f":{ref}"]
        if not call_git_success(removal, cwd=clone):
            left = list_remote_heads(store, ref)
            if left:
                raise Caution(
                    f"The branch {branch} cannot be removed from {store.url}; merged job "
                    "branches will stay there too.",
                    hint="allow deleting branches there.",
                )
