"""Images for tests, and studies that run in them as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from images import APP, make_docker_archive, make_root, make_sif, make_squashfs
from studies import REPOSITORY, Workspace, make_workspace, run

AS_USER = REPOSITORY / "tests" / "containers" / "as_user.sh"

# What each runtime needs, and the Debian packages that bring it.
NEEDED = {
    "apptainer": (
        ["apptainer", "mksquashfs"],
        "squashfs-tools patchelf; then run tests/install_packages.sh",
    ),
    "charliecloud": (["ch-run", "mksquashfs"], "charliecloud squashfs-tools"),
    "podman": (["podman", "runc", "newuidmap"], "podman runc uidmap"),
}

LICENSE = "someone@example.org\n12345\n *Cq0SecretOfTheLicence\n"

# Where these tests run there is neither systemd nor a network to make.
PODMAN_CONFIG = """\
[containers]
netns = "none"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def need(runtime: str) -> None:
    """Skip, or fail with CI=true, where a runtime is missing."""
    programs, packages = NEEDED[runtime]
    missing = [name for name in [*programs, "busybox"] if not shutil.which(name)]
    if missing:
        reason = f"no {', '.join(missing)}; install with: apt-get install busybox-static {packages}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass(frozen=True)
class Images:
    """Files of one app for every runtime."""

    folder: Path

    def of(self, runtime: str) -> Path:
        """The image file of a runtime, made at first use."""
        make = {
            "apptainer": make_sif,
            "charliecloud": make_squashfs,
            "podman": make_docker_archive,
        }[runtime]
        image = self.folder / f"probe.{runtime}"
        return image if image.exists() else make(self.folder / "root", image)


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """The probe app in images."""
    folder = tmp_path_factory.mktemp("images")
    if not shutil.which("busybox"):
        pytest.skip("no busybox; install with: apt-get install busybox-static")
    make_root(folder / "root")
    return Images(folder)


def use_runtime(workspace: Workspace, runtime: str, images: Images) -> Workspace:
    """Let a study run its app in a container."""
    need(runtime)
    image = workspace.root / f"image.{runtime}"
    shutil.copyfile(images.of(runtime), image)
    container = workspace.config["container"]
    del container["call_fmt"]
    container |= {
        "image": str(image),
        "runtime": runtime,
        "bids_args": {},
    }
    if runtime == "charliecloud":
        container["executable"] = APP
    config = workspace.root / "containers.conf"
    config.write_text(PODMAN_CONFIG)
    os.environ["CONTAINERS_CONF"] = str(config)
    return workspace


def use_everything(workspace: Workspace) -> None:
    """Let a study hand over all that an app may need, and ask it to break out."""
    (workspace.root / "my license.txt").write_text(LICENSE)
    (workspace.root / "my templates" / "tpl-MNI").mkdir(parents=True)
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.config["hpc"] = {"mem": "2G", "environment": {"PROBE_VARIABLE": "a, b $HOME"}}
    workspace.config["container"] |= {
        "binds": [f"{workspace.switches}:/data:rw"],
        "freesurfer_license": "my license.txt",
        "templateflow_home": "my templates",
        "bids_filter": {"t1w": {"datatype": "anat"}},
        "bids_args": {
            "switches": "/data",
            "work-dir": "{work_dir}",
            "n-cpus": "{threads}",
            "mem-mb": "{mem_mb}",
            "license-file": "{freesurfer_license}",
        },
    }


@pytest.fixture
def in_container(workspace, images, monkeypatch):
    """Lets the study of three subjects run in a container."""
    monkeypatch.setenv("CONTAINERS_CONF", "")
    return lambda runtime: use_runtime(workspace, runtime, images)


@pytest.fixture
def as_user(tmp_path, images, input_dataset, monkeypatch):
    """Lets a study of three subjects run in a container, as an ordinary user."""
    if os.geteuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    monkeypatch.setenv("CONTAINERS_CONF", "")

    def make(runtime: str) -> Workspace:
        root = tmp_path / "a user's study"
        root.mkdir()
        run("cp", "-a", input_dataset, root / "bids", cwd=root)
        workspace = use_runtime(make_workspace(root, root / "bids"), runtime, images)
        run("chown", "-R", "54321:54321", root, cwd=root)
        readable = (str(REPOSITORY), sys.base_prefix, str(root))
        workspace.prefix = ("bash", str(AS_USER), *readable, "--")
        return workspace

    return make
