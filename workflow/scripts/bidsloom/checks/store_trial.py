"""A trial of the output store, before the first job.

It pushes a commit to the output store and reads it back, in the way that jobs do.
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
    call_git,
    call_git_success,
)
from ..config import Study
from ..datasets.locks import locked
from ..datasets.output_datasets import check_writable
from ..datasets.pushes import outlive_locks, publish_command
from ..datasets.stores import BASE, Store, StoreKind, last_line, list_remote_heads, store_exists
from ..datasets.thin_clones import CLONE
from .findings import Caution
from .trial_folder import trial_folder

AS_NOBODY = ["-c", "user.name=bidsloom", "-c", "user.email=bidsloom"]


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
        if objects and store.holds_objects and objects.is_dir():
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
    if store_exists(store):
        yield store
        return
    if store.repository is None:
        raise Caution(
            f"The output store {store.url} is not there yet; its server answers.",
            hint="snakemake --cores 1 prepare_study makes it; then check again.",
        )
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
