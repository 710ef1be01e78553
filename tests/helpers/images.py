"""Images for tests, made from what Debian's packages hold: Python and the probe app."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import tarfile
from pathlib import Path

from helpers.studies import PROBE_APP, run

APP = "/usr/bin/probe"

# busybox brings a shell; every program of it is a link.
PROGRAMS = ["sh", "cat", "env", "id", "mkdir", "ls", "sleep"]


def installed_files(package: str) -> list[Path]:
    """Files and links of an installed Debian package."""
    listed = run("dpkg", "-L", package, cwd="/").stdout.splitlines()
    # Folders are made as they are needed; /lib is one that links to another.
    return [path for path in map(Path, listed) if not path.is_dir()]


def python_packages() -> list[str]:
    """Debian's packages of the system's Python, the smallest that run scripts."""
    version = re.search(r"3\.\d+", run("/usr/bin/python3", "--version", cwd="/").stdout)[0]
    parts = [f"python{version}-minimal", f"libpython{version}-minimal"]
    return [*parts, f"libpython{version}-stdlib", "libc6", "libexpat1", "zlib1g", "libssl3"]


def make_root(root: Path) -> Path:
    """A root file system with Python and the probe app."""
    folders = ["bin", "dev", "etc", "mnt", "proc", "root", "run", "sys", "tmp", "usr/bin", "ch"]
    for name in [*folders, "var/tmp", "data", ".singularity.d"]:
        (root / name).mkdir(parents=True)
    for package in python_packages():
        for path in installed_files(package):
            if "/share/doc/" in str(path) or "/share/man/" in str(path):
                continue
            # What Debian lists as /lib is /usr/lib where the two are one.
            target = root / path.parent.resolve().relative_to("/") / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)
    for name in ("lib", "lib64"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    shutil.copy2("/bin/busybox", root / "bin" / "busybox")
    for name in PROGRAMS:
        (root / "bin" / name).symlink_to("busybox")
    (python,) = (root / "usr" / "bin").glob("python3.*")
    (root / "usr" / "bin" / "python3").symlink_to(python.name)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\n")
    for name in ("hosts", "resolv.conf"):
        (root / "etc" / name).touch()
    (root / "ch" / "environment").write_text("PATH=/usr/bin:/bin\n")
    app = root / APP.lstrip("/")
    app.write_text("#!/usr/bin/python3 -I\n" + PROBE_APP.read_text())
    runscript = root / ".singularity.d" / "runscript"
    runscript.write_text(f'#!/bin/sh\nexec {APP} "$@"\n')
    for path in (app, runscript):
        path.chmod(0o755)
    return root


def make_sif(root: Path, image: Path) -> Path:
    """An Apptainer image."""
    run("apptainer", "build", image, root, cwd=image.parent)
    return image


def make_squashfs(root: Path, image: Path) -> Path:
    """An image for Charliecloud."""
    run("mksquashfs", root, image, "-noappend", "-quiet", "-all-root", cwd=image.parent)
    return image


def make_docker_archive(root: Path, image: Path) -> Path:
    """An image as `docker save` writes it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(root, arcname=".")
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [APP], "Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [
        {
            "Config": "config.json",
            "RepoTags": ["localhost/bidsloom-probe:1"],
            "Layers": [f"{digest}/layer.tar"],
        }
    ]
    members = {
        "config.json": json.dumps(config).encode(),
        f"{digest}/layer.tar": layer.getvalue(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    with tarfile.open(image, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return image
