"""Secrets of a config are found nowhere but in that config."""

import contextlib
import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from helpers.servers import serve_folder
from helpers.studies import PROBE_APP, git, run

TOKEN = "tok+n-marked-3141"
VALUE = "value-marked-2718"
MARKS = [TOKEN.encode(), VALUE.encode(), b"tok%2Bn-marked-3141"]


@contextlib.contextmanager
def watched_command_lines():
    """The marks that were seen on a command line of any process during the block."""
    seen, ended = set(), threading.Event()

    def watch():
        while not ended.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    line = path.read_bytes()
                    seen.update(line for mark in MARKS if mark in line)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def holders(root: Path) -> list[str]:
    """Files below a folder that hold a mark, and git repositories with such an object."""
    found = []
    for path in root.rglob("*"):
        held = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if any(mark in held for mark in MARKS):
            found.append(str(path.relative_to(root)))
        if path.name == "HEAD" and (path.parent / "objects").is_dir():
            everything = subprocess.run(
                ["git", "cat-file", "--batch-all-objects", "--batch"],
                cwd=path.parent,
                capture_output=True,
                check=True,
            ).stdout
            found += [f"object in {path.parent}" for mark in MARKS if mark in everything]
    return found


@pytest.fixture
def served(tmp_path, input_dataset):
    """A server with the input and an image, for those who know the token."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copytree(input_dataset, folder / "bids", symlinks=True)
    git("update-server-info", cwd=folder / "bids")
    shutil.copy(PROBE_APP, folder / "app.py")
    with serve_folder(folder, credential=f"jane:{TOKEN}") as url:
        yield url.partition("://")[2]


def test_secrets_stay_in_the_config(workspace, served, tmp_path):
    """A token in URLs opens them; neither it nor a variable's value gets anywhere else."""
    url = f"http://jane:tok%2Bn-marked-3141@{served}"
    workspace.config["datalad"]["input_repo"] = f"{url}/bids/.git"
    more = {"repo": f"{url}/bids/.git", "path": "sourcedata/more"}
    workspace.config["datalad"]["inputs"] = [more]
    workspace.config["container"]["image"] = f"{url}/app.py"
    workspace.config["subjects"] = {"include": ["01", "02"]}
    # Not what any job is told to do: the app of one subject fails, with a record of the attempt.
    workspace.config["hpc"] = {"environment": {"STUDY_KEY": VALUE}}
    (workspace.switches / "fail-02").write_text("3")
    workspace.write_config().chmod(0o600)
    with watched_command_lines() as seen:
        done = workspace.snakemake("--cores", "2", "--keep-going", check=False)
        scripts = workspace.snakemake("--cores", "1", "job_scripts")
        status = run(
            *("python", Path(__file__).parents[2] / "workflow" / "scripts" / "status.py"),
            *("--config", workspace.root / "study.yaml"),
            cwd=workspace.root,
            check=False,
        )
    said = "".join(part.stdout + part.stderr for part in (done, scripts, status))
    assert ["01"] == [
        json.loads(p.read_text())["unit"][4:] for p in (workspace.results / "jobs").glob("*.json")
    ], said
    assert [] == [mark for mark in MARKS if mark.decode() in said]
    assert set() == seen
    (workspace.root / "study.yaml").unlink()
    assert ["results/probe/scripts/config.yaml"] == holders(workspace.root)
    modules = git("show", "main:.gitmodules", cwd=workspace.store)
    assert f"url = http://{served}/bids/.git" in modules
    for path in (workspace.results / "scripts").iterdir():
        assert 0 == path.stat().st_mode & 0o077
        assert VALUE not in path.read_text() or path.name == "config.yaml"


def test_a_missing_credential_is_asked_for(workspace, served):
    """The error message says how to set one up, and does not wait for an answer."""
    workspace.config["datalad"]["input_repo"] = f"http://{served}/bids/.git"
    failed = workspace.snakemake("-n", check=False)
    assert failed.returncode
    assert "credential.helper" in failed.stderr
    workspace.config["datalad"]["input_repo"] = f"http://jane:wr0ng-marked@{served}/bids/.git"
    failed = workspace.snakemake("-n", check=False)
    assert "credential.helper" in failed.stderr
    assert "wr0ng-marked" not in failed.stderr + failed.stdout
