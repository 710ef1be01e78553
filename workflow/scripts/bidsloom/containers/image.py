"""The container image: how it is identified, and where its file is."""

from __future__ import annotations

import hashlib
import os
from enum import Enum
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.files import read_json, write_json
from ..base.runners import call_git
from ..config import Study
from ..config.values import is_local_path
from ..datasets.annex import annexed_keys, content_path
from ..datasets.clones import pin_containers
from ..datasets.registered import CONTAINERS_PATH


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


def identify_image(study: Study) -> str:
    """The image's annex key, or the URL that it is fetched from.

    Finding the key may clone the container dataset, or read the image and
    write its key to `results/<study>/image.json`; both happen once.  The
    content of a URL is fetched when the study is prepared, and stays the same
    until the configuration names another URL.

    Raises `WorkflowFailure` where the image cannot be read or found.
    """
    kind = image_kind(study)
    if kind is ImageKind.URL:
        return study.container.image
    if kind is ImageKind.DATASET:
        return key_in_dataset(study, pin_containers(study))
    return key_of_file(study)


def key_in_dataset(study: Study, commit: str) -> str:
    """Annex key of an image in the container dataset; its blob if it is not annexed.

    Raises `WorkflowFailure` where the dataset does not have it.
    """
    container = study.container
    try:
        name = call_git(["rev-parse", f"{commit}:{container.image}"], cwd=study.containers)
    except CommandError as e:
        raise WorkflowFailure(
            f"container.image {container.image} is not in the container dataset "
            f"{container.dataset} at {commit[:10]}.",
            hint=f"list its files: git -C '{study.containers}' ls-tree -r --name-only {commit}",
        ) from e
    keys = annexed_keys(study.containers, commit, [container.image])
    return keys[0] if keys else name


def key_of_file(study: Study) -> str:
    """The annex key that an image file will have in the study's dataset.

    Computing it takes half a minute for an image of 10 GB, so it is written to
    `results/<study>/image.json`, and used until the file's size or time changes.

    Raises `WorkflowFailure` where the file cannot be read.
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
    memory = study.files.image
    remembered = read_json(memory)
    if remembered and {k: remembered.get(k) for k in seen} == seen:
        return remembered["key"]
    key = compute_key(image)
    write_json(memory, {**seen, "key": key})
    return key


def compute_key(image: Path) -> str:
    """The MD5E key of an image file; without an extension, as `containers-add` registers it.

    Raises `WorkflowFailure` where the file cannot be read.
    """
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


def find_image(study: Study, *, prepared: str | None) -> Path | None:
    """The image's file, in a prepared study the one that jobs use; None where it is not here.

    `prepared` is the image that the study was prepared with, if it was.  The
    image is identified first, with the side effects of `identify_image`.

    Raises `WorkflowFailure` where the image cannot be read or found.
    """
    kind, known = image_kind(study), identify_image(study)
    if kind is ImageKind.DATASET:
        if "--" not in known:  # not an annex key: git itself has the content
            return None
        path = content_path(study.containers, pin_containers(study), study.container.image)
    elif prepared == known:
        path = study.dataset / image_path(study)
    elif kind is ImageKind.FILE:
        path = Path(study.container.image)
    else:
        return None
    return path if path.exists() else None


def prepared_image(study: Study) -> Path | None:
    """The image's file that jobs of a prepared study use, whatever became of the one it is from.

    None where it is not here.
    """
    path = study.dataset / image_path(study)
    if study.container.dataset:
        try:
            commit = pin_containers(study)
            path = content_path(study.containers, commit, study.container.image)
        except (CommandError, WorkflowFailure):
            return None
    return path if path.exists() else None
