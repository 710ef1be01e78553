"""The container: its identity, and how it is called."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from .config import Study
from .errors import WorkflowFailure
from .records import read_json, write_json

# A clean environment, no home, only the dataset bound: an app sees what its
# run record names, and writes where its outputs are.
ISOLATED = "{runtime} exec --containall --no-home -B {{{{pwd}}}} --pwd {{{{pwd}}}} {{img}} {{cmd}}"


def call_format(study: Study) -> str:
    """The call format for `datalad containers-add`.

    Raises `WorkflowFailure` where no runtime for the image is found.
    """
    container = study.container
    if container.call_fmt:
        return container.call_fmt
    wanted = ("apptainer", "singularity") if container.runtime == "auto" else (container.runtime,)
    for runtime in wanted:
        if shutil.which(runtime):
            return ISOLATED.format(runtime=runtime)
    raise WorkflowFailure(
        f"No container runtime was found on PATH: looked for {' and '.join(wanted)}.",
        hint="load its module (module load apptainer) or install it, then try again.",
    )


def app_environment(study: Study) -> dict[str, str]:
    """Variables for the job such that the app in its container sees them too."""
    given = dict(study.resources.environment)
    inside = {
        f"{prefix}ENV_{name}": value
        for prefix in ("APPTAINER", "SINGULARITY")
        for name, value in given.items()
    }
    return given | inside


def image_key(study: Study) -> str:
    """Annex key of the container image as the study's dataset will name it.

    The digest of a 10 GB image takes half a minute, so it is remembered in
    `results/<study>/image.json` until the file's size or time changes.
    """
    image = study.container.image
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


def image_path(name: str) -> str:
    """Where `containers-add` registers an image, relative to the dataset."""
    return f".datalad/environments/{name}/image"
