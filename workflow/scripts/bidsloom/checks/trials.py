"""Small trials of what jobs do, before the first job.

They start the container, and push a commit to the output store and read it
back, each in the way that jobs do it.  Each trial works in its own folder on
the scratch disk.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
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
    end_children,
)
from ..config import Study
from ..containers.image import find_image, image_path
from ..containers.runtimes import (
    Runtime,
    call_format,
    choose_runtime,
    git_folders,
    job_environment,
    mount_places,
    scratch_folder,
    start_failure,
    write_environment_file,
)
from ..datasets.locks import locked
from ..datasets.output_datasets import check_writable
from ..datasets.pushes import outlive_locks, publish_command
from ..datasets.stores import BASE, Store, StoreKind, is_git_directory, last_line, list_remote_heads
from ..datasets.thin_clones import CLONE
from ..records.prepared import read_prepared
from .findings import Caution

# An image of some GB on a busy file system needs minutes to start.
CONTAINER_SECONDS = 600
AS_NOBODY = ["-c", "user.name=bidsloom", "-c", "user.email=bidsloom"]


@contextlib.contextmanager
def trial_folder(study: Study) -> Iterator[Path]:
    """A temporary folder on the scratch disk, removed after the trial.

    Raises `WorkflowFailure` where it cannot be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="bidsloom-check-", dir=study.work_dir))
    except OSError as e:
        raise WorkflowFailure(
            f"common.work_dir {study.work_dir} cannot be written to: {e.strerror}.",
            hint="it must exist where jobs run, be writable and have space.",
        ) from e
    try:
        yield folder
    finally:
        end_children()
        remove_tree(folder)


# --- the container ----------------------------------------------------------


def try_container(study: Study) -> str:
    """Start the app as jobs do, and return what it prints for `--version` or `--help`.

    Raises `WorkflowFailure` where it does not start, and `Caution` where it
    answers neither, or the image is not here yet.
    """
    prepared = read_prepared(study)
    image = find_image(study, prepared=prepared.image if prepared else None)
    if image is None:
        raise Caution(
            f"The image {study.container.image} is not here yet.",
            hint="snakemake --cores 1 prepare_study fetches it; then check again.",
        )
    runtime = choose_runtime(study)
    with trial_folder(study) as folder:
        dataset = folder / "dataset"
        lay_out_app(study, runtime, dataset, image)
        for flag in ("--version", "--help"):
            try:
                said = start_app(study, runtime, dataset, flag)
            except CommandError as e:
                ended = e
            else:
                return f"answers {flag}: {(said.strip() or '(nothing)').splitlines()[0][:100]}"
    name, lines = study.container.name, ended.stderr.splitlines()
    words = start_failure(runtime, ended.exit_code, lines)
    # A shell ends with 126 or 127 where it cannot run, or cannot find, a program.
    if words or ended.exit_code < 0 or ended.exit_code in (126, 127):
        raise WorkflowFailure(
            f"{name} does not start: {words or last_line(ended.stderr)}",
            hint="check that container.image is complete, and that container.runtime, call_fmt and "
            "executable are right.",
            failure_class=FailureClass.NODE_FAILURE,
        )
    raise Caution(
        f"{name} answers neither --version nor --help (exit code {ended.exit_code}): "
        f"{last_line(ended.stderr)[:200]}",
        hint="a BIDS App should; if it does when you start it by hand, check container.executable.",
    )


def lay_out_app(study: Study, runtime: Runtime, dataset: Path, image: Path) -> None:
    """Make a folder with everything that the call format needs of a job's clone."""
    link = dataset / image_path(study)
    link.parent.mkdir(parents=True)
    link.symlink_to(image)
    folders, files = mount_places(study, runtime, scratch_folder(dataset) / "tmp")
    for path in [*folders, *(dataset / closed for closed in git_folders(study))]:
        path.mkdir(parents=True, exist_ok=True)
    for path in files:
        path.touch()


def start_app(study: Study, runtime: Runtime, dataset: Path, *arguments: str) -> str:
    """Run the app with some arguments by the study's call format, and return what it prints.

    Raises `CommandError` where it fails or takes too long.
    """
    image = image_path(study)
    # It is formatted twice: first as containers-run does it, then as DataLad's run does.
    once = call_format(study).format(
        python=sys.executable,
        img=image,
        cmd=shlex.join(arguments),
        img_dspath=".",
        img_dirpath=str(Path(image).parent),
    )
    line = once.format(pwd=dataset, dspath=dataset, tmpdir=scratch_folder(dataset) / "tmp")
    write_environment_file(study, runtime, scratch_folder(dataset))
    environment = job_environment(study, runtime, scratch_folder(dataset))
    command = ["/bin/sh", "-c", line]
    return call(command, cwd=dataset, env=environment, timeout=CONTAINER_SECONDS).decode(
        errors="replace"
    )


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
