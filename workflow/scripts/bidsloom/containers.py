"""The container image: what it is known by, and where it lies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from .clones import CONTAINERS_PATH, clone_containers
from .config import Bind, Study
from .errors import CommandError, WorkflowFailure
from .findings import Look
from .records import read_json, write_json
from .runners import call_git
from .runtimes import mounts
from .values import is_local_path


class ImageKind(Enum):
    """Where an image comes from."""

    FILE = "a file"
    URL = "a URL that datalad-container understands"
    DATASET = "a file of a container dataset"


def image_kind(study: Study) -> ImageKind:
    """Where the study's image comes from."""
    if study.container.dataset:
        return ImageKind.DATASET
    return ImageKind.FILE if is_local_path(study.container.image) else ImageKind.URL


def image_id(study: Study) -> str:
    """What the image is known by: an annex key, or the URL that it was taken from once.

    A URL's content is fetched when the study is prepared, and stays as it is
    until the configuration names another URL.
    """
    kind = image_kind(study)
    if kind is ImageKind.URL:
        return study.container.image
    if kind is ImageKind.DATASET:
        return key_in_dataset(study, clone_containers(study))
    return key_of_file(study)


def key_in_dataset(study: Study, commit: str) -> str:
    """Annex key (or blob, where it is not annexed) of an image in the container dataset."""
    container = study.container
    try:
        mode = call_git(["ls-tree", commit, "--", container.image], cwd=study.containers)[:6]
        name = call_git(["rev-parse", f"{commit}:{container.image}"], cwd=study.containers)
    except CommandError as e:
        raise WorkflowFailure(
            f"container.image {container.image} is not in the container dataset "
            f"{container.dataset} at {commit[:10]}.",
            hint=f"see what there is: git -C '{study.containers}' ls-tree -r --name-only {commit}",
        ) from e
    if mode != "120000":
        return name
    return call_git(["cat-file", "blob", name], cwd=study.containers).rpartition("/")[2]


def key_of_file(study: Study) -> str:
    """The annex key that the study's dataset will give an image file.

    The digest of a 10 GB image takes half a minute, so it is remembered in
    `results/<study>/image.json` until the file's size or time changes.
    """
    image = Path(study.container.image)
    try:
        stat = os.stat(image)
        if not image.is_file():
            raise FileNotFoundError(2, "not a file")
    except OSError as e:
        raise WorkflowFailure(
            f"The container image {image} cannot be read: {e.strerror}.",
            hint="set container.image to the path of the image file.",
        ) from e
    seen = {"path": str(image), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    memory = study.results / "image.json"
    remembered = read_json(memory)
    if remembered and {k: remembered.get(k) for k in seen} == seen:
        return remembered["key"]
    key = compute_key(image)
    write_json(memory, {**seen, "key": key})
    return key


def compute_key(image: Path) -> str:
    """The MD5E key git-annex gives an image file; `containers-add` drops its extension."""
    try:
        with image.open("rb") as f:
            digest = hashlib.file_digest(f, "md5").hexdigest()
    except OSError as e:
        raise WorkflowFailure(
            f"The container image {image} cannot be read: {e.strerror}.",
            hint="check its permissions.",
        ) from e
    return f"MD5E-s{image.stat().st_size}--{digest}"


def image_path(study: Study) -> str:
    """Where the image is registered, relative to the output dataset."""
    if study.container.dataset:
        return f"{CONTAINERS_PATH}/{study.container.image}"
    return f".datalad/environments/{study.container.name}/image"


def image_file(study: Study) -> Path | None:
    """The image's content, in a prepared study as jobs find it; None where it is not here."""
    kind, known = image_kind(study), image_id(study)
    if kind is ImageKind.DATASET:
        if "--" not in known:  # no annex key: it lies in git itself
            return None
        path = content_path(study.containers, clone_containers(study), study.container.image)
    elif (read_json(study.results / "prepared.json") or {}).get("image") == known:
        path = study.dataset / image_path(study)
    elif kind is ImageKind.FILE:
        path = Path(study.container.image)
    else:
        return None
    return path if path.exists() else None


def content_path(clone: Path, commit: str, path: str) -> Path:
    """Where a clone keeps the content of a commit's annexed file."""
    target = call_git(["cat-file", "blob", f"{commit}:{path}"], cwd=clone)
    return clone / ".git" / target.partition(".git/")[2]


def mount_looks(study: Study, *, bare: bool) -> Iterator[Look]:
    """Looks at the licence, template folder and binds of the app.

    The scratch folder is mounted too, under its own name, unless the app runs
    `bare`, without a container.
    """
    container = study.container
    if not bare:
        wanted = "a path that a container runtime can mount"
        yield Look("common.work_dir", wanted, lambda: check_mountable(study.work_dir))
    keys = {container.freesurfer_license: "container.freesurfer_license"}
    keys[container.templateflow_home] = "container.templateflow_home"
    for bind in mounts(container):
        key = keys.get(bind.source, "container.binds")
        yield Look(
            f"{key} {bind.source}" if key == "container.binds" else key,
            "there and readable",
            lambda bind=bind, key=key: check_mount(bind, key),
            lambda bind=bind: f"{bind.source}, for the app at {bind.target}",
        )


def check_mountable(work_dir: Path) -> None:
    """Refuse a scratch folder whose path a runtime would misread."""
    if set(',:"$`') & set(str(work_dir)):
        raise WorkflowFailure(
            f"common.work_dir {work_dir}: a container runtime cannot mount a path with "
            'one of , : " $ `.',
            hint="name another folder, or a link to it without these characters.",
        )


def check_mount(bind: Bind, key: str) -> None:
    """Refuse one mount that is missing, or whose path a runtime would misread."""
    folder = bind.source.is_dir()
    if not os.access(bind.source, os.R_OK | (os.X_OK if folder else 0)):
        what = "cannot be read" if bind.source.exists() else "does not exist"
        raise WorkflowFailure(
            f"{key} {bind.source} {what}.",
            hint="correct the path, or mount the disk it is on.",
        )
    if key == "container.freesurfer_license" and folder:
        raise WorkflowFailure(
            f"{key} {bind.source} is a folder; expected: the licence file itself.",
            hint="name the file, usually license.txt in the FreeSurfer folder.",
        )
    if set(",:") & set(f"{bind.source}{bind.target}"):
        raise WorkflowFailure(
            f"{key} {bind.source}: a container runtime cannot mount a path with ':' or ','.",
            hint="make a link to it without these characters, and name that.",
        )
