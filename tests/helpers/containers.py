"""Container runtimes: what each needs, its images, and studies that use it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.images import APP, make_docker_archive, make_sif, make_squashfs
from helpers.studies import Workspace

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
