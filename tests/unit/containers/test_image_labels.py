"""What an image says of itself."""

import io
import json
import tarfile

import pytest
from bidsloom.config import read_study
from bidsloom.containers.image_labels import describe_container, labelled_version, read_labels
from bidsloom.containers.runtimes import Runtime
from helpers.old_config import changed

KEY = "MD5E-s12--0123456789abcdef0123456789abcdef"
DIGEST = "md5:0123456789abcdef0123456789abcdef"
BUILT = {
    "org.label-schema.usage.singularity.deffile.bootstrap": "docker",
    "org.label-schema.usage.singularity.deffile.from": "nipreps/fmriprep:25.1.4",
}


def described(image, *, runtime=Runtime.APPTAINER, labels=(), **container):
    """How the image of a study is described."""
    study = read_study(changed("container", image=image, **container))
    return describe_container(study, runtime, key=KEY, labels=dict(labels))


def docker_archive(path, config):
    """An archive of `docker save` with one image."""
    files = {
        "manifest.json": [{"Config": "abc.json", "RepoTags": ["lab/app:2.0"]}],
        "abc.json": config,
    }
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, value in files.items():
            content = json.dumps(value).encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_archive_of_docker_save_tells_its_labels_and_its_name(tmp_path):
    """They are read without docker."""
    labels = {"org.opencontainers.image.version": "2.0.1"}
    image = docker_archive(tmp_path / "image.tar", {"config": {"Labels": labels}})
    found = read_labels(image, Runtime.DOCKER)
    assert "2.0.1" == labelled_version(found)
    assert {"Type": "docker", "Tag": "lab/app:2.0", "URI": "docker://lab/app:2.0"} | {
        "Digest": DIGEST
    } == described(str(image), runtime=Runtime.DOCKER, labels=found)


@pytest.mark.parametrize("content", [b"", bytes(257) + b"ustar" + bytes(800)])
def test_image_without_labels(tmp_path, content):
    """A file that is no archive, or an archive of something else."""
    image = tmp_path / "image"
    image.write_bytes(content)
    assert {} == read_labels(image, Runtime.DOCKER)


def test_label_of_the_image_below_is_not_the_apps():
    """Ubuntu's images carry their version, and every image that is built on them inherits it."""
    ubuntu = {
        "org.opencontainers.image.version": "22.04",
        "org.opencontainers.image.ref.name": "ubuntu",
    }
    assert "" == labelled_version(ubuntu)
    assert "1.2" == labelled_version({**ubuntu, "org.label-schema.version": "1.2"})


def test_image_names_no_path_of_this_machine():
    """A file is known by its name, its digest, and the image that it was built from."""
    assert {"Type": "apptainer", "Tag": "app.sif", "Digest": DIGEST} == described("/secret/app.sif")
    built = described("/secret/app.sif", labels=BUILT)
    assert "docker://nipreps/fmriprep:25.1.4" == built["URI"]
    assert "nipreps/fmriprep:25.1.4" == built["Tag"]
    in_dataset = described("images/app.sif", dataset="https://user:pw@github.com/x/containers")
    assert "https://github.com/x/containers" == in_dataset["URI"]
    assert "URI" not in described("images/app.sif", dataset="/secret/containers")


def test_image_from_a_registry():
    """By its address, without a password in it."""
    found = described("docker://me:token@registry.org/lab/app:2")
    assert "docker://registry.org/lab/app:2" == found["URI"]
    assert "registry.org/lab/app:2" == found["Tag"]


def test_app_without_a_container_has_none():
    """As in the demo."""
    assert {} == described("/some/app.py", runtime=Runtime.NONE)
