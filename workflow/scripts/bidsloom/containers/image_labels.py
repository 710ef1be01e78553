"""What an image says of itself in its labels, and how `dataset_description.json` names it."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

from ..base.credentials import public_url
from ..base.errors import CommandError
from ..base.runners import call
from ..config import Study
from ..config.values import is_local_path
from .image import ImageKind, image_kind
from .runtimes import Runtime, is_docker_archive

# By their order; the second is also a label of the images that others are built on.
VERSION_LABELS = ("org.label-schema.version", "org.opencontainers.image.version")
BASE_NAME = "org.opencontainers.image.ref.name"
BASES = ("ubuntu", "debian", "centos", "rocky", "fedora", "alpine")
# What Apptainer notes of the image that it built an image from.
BUILT_BY = "org.label-schema.usage.singularity.deffile.bootstrap"
BUILT_FROM = "org.label-schema.usage.singularity.deffile.from"
# Name of a digest in a git-annex key.
DIGEST = re.compile(r"(MD5|SHA\d+)E?-.*--([0-9a-f]{32,})")


def read_labels(image: Path, runtime: Runtime) -> dict[str, str]:
    """The labels of an image; none where it has none, or no program here can read them."""
    if is_docker_archive(str(image)):
        return archive_labels(image)
    if not runtime.takes_sif or not shutil.which(runtime.program):
        return {}
    try:
        said = call([runtime.program, "inspect", "--json", str(image)], cwd=Path("/"), timeout=60)
        found = json.loads(said)["data"]["attributes"]["labels"]
    except (CommandError, ValueError, KeyError, TypeError):
        return {}
    return {str(name): str(value) for name, value in (found or {}).items()}


def archive_labels(archive: Path) -> dict[str, str]:
    """The labels of an image that `docker save` wrote, with its own name as what it is built from.

    The archive has a list of its images, which names the file with an image's
    configuration (https://docs.docker.com/reference/cli/docker/image/save/).
    """
    try:
        with tarfile.open(archive) as tar:
            (image, *_) = json.loads(read_member(tar, "manifest.json"))
            config = json.loads(read_member(tar, image["Config"]))
            found = dict(config.get("config", {}).get("Labels") or {})
            tags = image.get("RepoTags") or []
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    built = {BUILT_BY: "docker", BUILT_FROM: tags[0]} if tags else {}
    return {str(name): str(value) for name, value in {**found, **built}.items()}


def read_member(tar: tarfile.TarFile, name: str) -> bytes:
    """The content of a file in an archive.  Raises `KeyError` where there is none."""
    member = tar.extractfile(name)
    if member is None:
        raise KeyError(name)
    return member.read()


def labelled_version(labels: Mapping[str, str]) -> str:
    """The app's version by the image's labels, empty where they do not say."""
    own, general = (labels.get(name, "") for name in VERSION_LABELS)
    # Images inherit labels: that of a distribution has its own version there.
    if labels.get(BASE_NAME, "").lower() in BASES:
        general = ""
    return own or general


def describe_container(
    study: Study, runtime: Runtime, *, key: str, labels: Mapping[str, str]
) -> dict[str, str]:
    """The image as BIDS names it, without any path of this machine; empty without a container.

    `Digest` is that of the image's file, by which the output dataset knows it.
    """
    if runtime is Runtime.NONE:
        return {}
    image, kind = study.container.image, image_kind(study)
    docker = labels.get(BUILT_FROM, "") if labels.get(BUILT_BY) == "docker" else ""
    uri = f"docker://{docker}" if docker else ""
    if kind is ImageKind.URL:
        uri = re.sub(r"^(\w+://)[^/@]*@", r"\1", public_url(image))
        if image.startswith("docker://"):
            docker = uri.removeprefix("docker://")
    elif kind is ImageKind.DATASET and not is_local_path(study.container.dataset):
        uri = uri or study.container.dataset
    digest = DIGEST.fullmatch(key)
    found = {
        "Type": "docker" if is_docker_archive(image) else runtime.value,
        "Tag": docker or (Path(image).name if kind is not ImageKind.URL else ""),
        "URI": uri,
        "Digest": f"{digest[1].lower()}:{digest[2]}" if digest else "",
    }
    return {name: value for name, value in found.items() if value}
