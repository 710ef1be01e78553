"""Real datasets and studies in temporary folders."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from bidsloom.base.runners import set_up_environment
from helpers.browser import Browser
from helpers.cluster import Cluster, missing_programs
from helpers.studies import REPOSITORY, make_input, make_workspace, run

INSTALL = "apt-get install slurmctld slurmd slurmdbd slurm-client munge mariadb-server iproute2"
GIT_CONFIG = """\
[user]
    name = A Tester
    email = tester@example.org
[annex "security"]
    allowed-ip-addresses = 127.0.0.1
[protocol "file"]
    allow = always
"""


def user_config() -> bytes:
    """The git configuration of the person who runs the tests."""
    path = Path(os.path.expanduser("~"), ".gitconfig")
    return path.read_bytes() if path.exists() else b""


@pytest.fixture(autouse=True, scope="session")
def own_home(tmp_path_factory):
    """A home of the tests' own; the user's git configuration stays as it is."""
    before = user_config()
    real = os.environ.get("HOME", "/")
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(GIT_CONFIG)
    os.environ["HOME"] = str(home)
    # In the background of a shell it would be ignored, also by what tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in [n for n in os.environ if n.startswith(("GIT_", "SNAKEMAKE_", "SLURM_"))]:
        del os.environ[name]
    set_up_environment()
    # Apptainer as tests/install_packages.sh fetched it, unless the machine has its own.
    apptainer = Path(f"/var/tmp/bidsloom-apptainer-{os.getuid()}")
    if apptainer.exists() and apptainer.stat().st_uid == os.getuid():
        os.environ["PATH"] += f"{os.pathsep}{apptainer / 'bin'}"
    yield home
    os.environ["HOME"] = real
    assert before == user_config(), "a test changed the user's git configuration"


@pytest.fixture(scope="session")
def input_dataset(tmp_path_factory):
    """Three subjects; tests only read it."""
    root = tmp_path_factory.mktemp("in put") / "bids"
    return make_input(root, {"01": [None], "02": [None], "03": [None]})


@pytest.fixture
def workspace(tmp_path, input_dataset):
    """A study of three subjects whose paths hold spaces."""
    return make_workspace(tmp_path / "my study", input_dataset)


@pytest.fixture(scope="session")
def undisturbed_tree(tmp_path_factory, input_dataset):
    """The merged tree of the three subjects when nothing goes wrong."""
    workspace = make_workspace(tmp_path_factory.mktemp("undisturbed") / "study", input_dataset)
    workspace.snakemake()
    return workspace.tree()


@pytest.fixture(scope="session")
def shared_disk():
    """A folder that all nodes see: not /tmp, which is private to each job."""
    path = Path(tempfile.mkdtemp(prefix="bidsloom-tests-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    run("chmod", "-R", "u+w", path, cwd="/", check=False)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(shared_disk):
    """Four nodes with accounting; as root each job has a private /tmp."""
    if missing := missing_programs():
        reason = f"no {', '.join(missing)}; install with: {INSTALL}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    private = os.geteuid() == 0 and not REPOSITORY.is_relative_to("/tmp")
    cluster = Cluster(shared_disk / "cluster", private_tmp=private)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A browser for all tests."""
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium):
    """A browser that has not seen anything yet."""
    # The page of the test before this one has ended, of which its script complains.
    chromium.open("about:blank")
    chromium.complaints.clear()
    chromium.requests.clear()
    return chromium


def pytest_collection_modifyitems(items):
    """The cluster's tests first: they take longest, and another worker does the rest meanwhile."""
    items.sort(key=lambda item: "slurm" not in item.path.parts)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One worker runs all tests of the cluster, so that one cluster is started.

    With `--dist loadfile` only; xdist honours its groups with `loadgroup` alone.
    """
    from xdist.scheduler import LoadFileScheduling

    class LoadFileOrCluster(LoadFileScheduling):
        def _split_scope(self, nodeid):
            scope = super()._split_scope(nodeid)
            return "tests/slurm" if scope.startswith("tests/slurm/") else scope

    if config.getvalue("dist") != "loadfile":
        return None
    # In the order of collection; otherwise files with many tests come before long ones.
    config.option.loadscopereorder = False
    return LoadFileOrCluster(config, log)
