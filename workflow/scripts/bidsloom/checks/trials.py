"""What a job does, tried in small before there is one.

The container starts as it will in jobs, one file is fetched from the input as
jobs fetch theirs, a commit goes to the output store and comes back.  Each
trial works in a folder of its own in the scratch space.
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
    call_annex,
    call_git,
    call_git_records,
    call_git_success,
    end_children,
    read_objects,
)
from ..config import Study
from ..containers.image import image_file, image_path
from ..containers.runtimes import (
    Runtime,
    call_format,
    choose_runtime,
    git_folders,
    job_environment,
    mount_places,
    scratch_folder,
    start_failure,
)
from ..datasets.annex import SYMLINK, is_annexed, key_size
from ..datasets.locks import locked
from ..datasets.output_datasets import check_writable
from ..datasets.pushes import outlive_locks, publish_command
from ..datasets.stores import BASE, Store, StoreKind, is_git_directory, last_line, list_remote_heads
from ..datasets.thin_clones import CLONE, lay_out_steps, remotes_of
from ..records.prepared import read_prepared
from ..units.unit import Unit
from .findings import Caution

# An image of some GB on a busy file system takes its time to start.
CONTAINER_SECONDS = 600
AS_NOBODY = ["-c", "user.name=bidsloom", "-c", "user.email=bidsloom"]


@contextlib.contextmanager
def trial_folder(study: Study) -> Iterator[Path]:
    """A private folder in the scratch space, for the time of a trial."""
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
    """Start the app as jobs do; gives what it says of its version."""
    prepared = read_prepared(study)
    image = image_file(study, prepared=prepared.image if prepared else None)
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
    # 126 and 127: a shell that could not run, or not find, a program.
    if words or ended.exit_code < 0 or ended.exit_code in (126, 127):
        raise WorkflowFailure(
            f"{name} does not start: {words or last_line(ended.stderr)}",
            hint="see that container.image is whole, and what container.runtime, call_fmt and "
            "executable say.",
            failure_class=FailureClass.NODE_FAILURE,
        )
    raise Caution(
        f"{name} answers neither --version nor --help (exit code {ended.exit_code}): "
        f"{last_line(ended.stderr)[:200]}",
        hint="a BIDS App should; if it does in your hands, see container.executable.",
    )


def lay_out_app(study: Study, runtime: Runtime, dataset: Path, image: Path) -> None:
    """A folder in which the call format finds what it finds in a job's clone."""
    place = dataset / image_path(study)
    place.parent.mkdir(parents=True)
    place.symlink_to(image)
    folders, files = mount_places(study, runtime, scratch_folder(dataset) / "tmp")
    for path in [*folders, *(dataset / closed for closed in git_folders(study))]:
        path.mkdir(parents=True, exist_ok=True)
    for path in files:
        path.touch()


def start_app(study: Study, runtime: Runtime, dataset: Path, *arguments: str) -> str:
    """Run the app with some arguments by the study's call format; gives what it prints."""
    image = image_path(study)
    # In two rounds: the first is containers-run's, the second DataLad's run.
    once = call_format(study).format(
        python=sys.executable,
        img=image,
        cmd=shlex.join(arguments),
        img_dspath=".",
        img_dirpath=str(Path(image).parent),
    )
    line = once.format(pwd=dataset, dspath=dataset, tmpdir=scratch_folder(dataset) / "tmp")
    environment = job_environment(study, runtime, scratch_folder(dataset))
    command = ["/bin/sh", "-c", line]
    return call(command, cwd=dataset, env=environment, timeout=CONTAINER_SECONDS).decode(
        errors="replace"
    )


# --- the input --------------------------------------------------------------


def try_input(study: Study, commit: str, unit: Unit) -> str:
    """Fetch a unit's smallest annexed file as its job will."""
    smallest = smallest_file(study.input, commit, unit) if is_annexed(study.input) else None
    if smallest is None:
        return "all of it lies in git"
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
                hint="see that the input, and the places its content lies in, are reachable "
                "from here.",
                failure_class=FailureClass.INPUT_UNAVAILABLE,
            ) from e
    return f"fetched {path} from {study.input_url}"


def smallest_file(repository: Path, commit: str, unit: Unit) -> tuple[str, str] | None:
    """Path and key of the smallest annexed file of a unit, as far as links tell."""
    links = {}
    for record in call_git_records(["ls-tree", "-r", "-z", commit, unit.folder], cwd=repository):
        head, _, path = record.partition("\t")
        mode, _, object_id = head.split()
        if mode == SYMLINK:
            links[path] = object_id
    targets = read_objects(links.values(), repository=repository)
    keys = [
        (path, os.fsdecode(target).rpartition("/")[2])
        for path, target in zip(links, targets, strict=True)
        if b"annex/objects/" in target
    ]
    return min(keys, key=lambda found: key_size(found[1]), default=None)


# --- the output store -------------------------------------------------------


def try_store(study: Study, store: Store) -> str:
    """Clone from the output store, push a commit to a probe branch, and see it there.

    The branch is removed again, whatever happens.  A store that is not there
    yet is tried in a passing one beside its place.
    """
    with trial_folder(study) as folder, standing_store(store) as tried:
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
            with locked(study.lock_file), passing_branch(tried, branch, clone):
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
    return f"{store.url}: a commit went there and back" + (
        "" if tried == store else " (to a passing store beside it; it is made later)"
    )


def open_clone(store: Store, clone: Path) -> str:
    """A clone of the store's scaffolding, an empty one where it has none; gives its commit."""
    if BASE in list_remote_heads(store, f"refs/heads/{BASE}"):
        call([*CLONE, "--branch", BASE, store.git_url, str(clone)], cwd=clone.parent)
        return call_git(["rev-parse", "HEAD"], cwd=clone)
    call_git(["init", "-q", str(clone)], cwd=clone.parent)
    return commit_nothing(clone)


def commit_nothing(repository: Path) -> str:
    """A commit without files, and without a parent."""
    tree = call_git(["mktree"], cwd=repository, stdin="")
    return call_git([*AS_NOBODY, "commit-tree", "-m", BASE, tree], cwd=repository)


def store_failure(store: Store, words: str) -> WorkflowFailure:
    """A letter about a store that a commit did not reach."""
    return WorkflowFailure(
        f"The output store {store.url} did not take a probe branch: {words}",
        hint="see that it is mounted here, writable, and has space.",
        failure_class=FailureClass.STORE_UNAVAILABLE,
    )


@contextlib.contextmanager
def standing_store(store: Store) -> Iterator[Store]:
    """The store, or one for the time being beside its place where it does not stand yet."""
    if store.repository is None or is_git_directory(store.repository):
        yield store
        return
    beside = store.repository.parent
    while not os.path.lexists(beside):
        beside = beside.parent
    check_writable(beside)
    passing = Path(tempfile.mkdtemp(prefix=".bidsloom-check-", dir=beside))
    try:
        call_git(["init", "-q", "--bare"], cwd=passing)
        call_git(["update-ref", f"refs/heads/{BASE}", commit_nothing(passing)], cwd=passing)
        yield Store(str(passing), StoreKind.BARE, passing)
    finally:
        remove_tree(passing)


@contextlib.contextmanager
def passing_branch(store: Store, branch: str, clone: Path) -> Iterator[None]:
    """Remove a branch of the store at the end, whatever happens."""
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
                    "branches will stay there, too.",
                    hint="allow the deletion of branches there.",
                )
