"""Images for tests, and studies that run in them as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from helpers.containers import Images, use_runtime
from helpers.images import make_root
from helpers.studies import REPOSITORY, Workspace, make_workspace, run

AS_USER = REPOSITORY / "tests" / "containers" / "as_user.sh"


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """The probe app in images."""
    folder = tmp_path_factory.mktemp("images")
    if not shutil.which("busybox"):
        pytest.skip("no busybox; install with: apt-get install busybox-static")
    make_root(folder / "root")
    return Images(folder)


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
