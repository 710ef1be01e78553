"""The installed package: a study away from the repository, by the command `bidsloom` alone."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from helpers.studies import REPOSITORY, git, run


@dataclass
class Installation:
    """A virtual environment in which the wheel is installed."""

    bin: Path

    def run(self, program: str, *args, cwd: Path, **kwargs) -> subprocess.CompletedProcess:
        command = [self.bin / program]
        if program == "snakemake":
            # The dependencies' programs are of the environment of the tests.
            command = [self.bin / "python", "-m", "snakemake"]
        return run(*command, *args, cwd=cwd, **kwargs)


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """The wheel, in an environment that has its dependencies, and sees no repository."""
    root = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    offline = ["--no-deps", "--no-build-isolation"]
    run(*pip, "wheel", *offline, "-w", root / "wheel", REPOSITORY, cwd=root)
    run(sys.executable, "-m", "venv", "--without-pip", root / "venv", cwd=root)
    (wheel,) = (root / "wheel").iterdir()
    python = root / "venv" / "bin" / "python"
    run(*pip, "--python", python, "install", "--no-deps", wheel, cwd=root)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", code, cwd=root).stdout.strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return Installation(python.parent)


@pytest.fixture(scope="module")
def study(installation, tmp_path_factory):
    """A folder that `bidsloom new` made, with the demo's data and app."""
    root = tmp_path_factory.mktemp("away") / "my study"
    installation.run("bidsloom", "new", root, cwd=root.parent)
    run("cp", REPOSITORY / "demo" / "imagestats.py", root, cwd=root)
    run(sys.executable, REPOSITORY / "demo" / "make_dataset.py", "bids", cwd=root)
    (root / "scratch").mkdir()
    config = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    config["common"]["work_dir"] = "scratch"
    config["datalad"] |= {"input_repo": "bids", "output_repos": ["store.git"]}
    config["container"]["image"] = "imagestats.py"
    (root / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    return root


def test_a_new_study_runs_to_its_merged_end(installation, study):
    """Dry run, run, status, nothing left to do, and every other target."""
    listed = installation.run("snakemake", "-n", cwd=study)
    assert "process_subject" in listed.stdout + listed.stderr
    done = installation.run("snakemake", "--cores", "2", cwd=study)
    assert "4 merged" in done.stdout + done.stderr
    files = git("ls-tree", "-r", "--name-only", "main", "derivatives/", cwd=study / "store.git")
    assert "derivatives/imagestats/sub-01.html" in files.splitlines()
    assert installation.run("bidsloom", "status", cwd=study).returncode == 0
    again = installation.run("snakemake", "-n", cwd=study)
    assert "Nothing to be done" in again.stdout + again.stderr
    tools = json.loads((study / "results" / "demo" / "report.json").read_text())
    assert "0.2.0" in json.dumps(tools)
    targets = ("check", "merge", "report", "job_scripts", "list_subjects", "prepare_study")
    installation.run("snakemake", "--cores", "1", *targets, cwd=study)
    # A job script works by itself: here it finds the result in the store.
    script = study / "results" / "demo" / "scripts" / "sub-01.sh"
    assert str(installation.bin.parent) in script.read_text()
    run("bash", script, cwd="/")
    shown = installation.run("bidsloom", "job", "--subject", "01", "--dry-run", cwd=study).stdout
    assert "containers-run" in shown


def test_the_clusters_profile_is_found(installation, study):
    """`snakemake --profile slurm` reads the profile and the rules."""
    listed = installation.run("snakemake", "--profile", "slurm", "-n", cwd=study)
    assert "slurm" in listed.stdout + listed.stderr


def test_a_failed_study_is_concluded(installation, study):
    """What `onerror` does in the repository is done here, too: a report, and what to do."""
    failing = yaml.safe_load((study / "config" / "config.yaml").read_text())
    failing["study"] = "failing"
    failing["datalad"]["output_repos"] = ["failing.git"]
    failing["subjects"] = {"include": ["01"]}
    failing["container"]["bids_args"]["no-such-option"] = True
    (study / "failing.yaml").write_text(yaml.safe_dump(failing))
    command = ("--configfile", "failing.yaml", "--cores", "1")
    done = installation.run("snakemake", *command, cwd=study, check=False)
    assert done.returncode == 1
    assert "1 failed" in done.stdout + done.stderr
    assert (study / "results" / "failing" / "report.html").exists()
    status = ("status", "--config", "failing.yaml")
    assert installation.run("bidsloom", *status, cwd=study, check=False).returncode == 1


def test_cancel_says_what_no_job_is_at(installation, study):
    """`bidsloom cancel` ends with 1 where there was nothing to cancel, 3 where it was wrong."""
    installation.run("snakemake", "--cores", "1", "prepare_study", "list_subjects", cwd=study)
    done = installation.run("bidsloom", "cancel", "01", cwd=study, check=False)
    assert (1, True) == (done.returncode, "no job is at it" in done.stdout)
    assert installation.run("bidsloom", "cancel", cwd=study, check=False).returncode == 3


@pytest.mark.parametrize("app", ["fmriprep", "freesurfer", "mriqc", "qsiprep"])
def test_each_app_has_a_config(installation, tmp_path, app):
    """The config is the app's example; its first line leads editors to the installed schema."""
    installation.run("bidsloom", "new", "study", "--app", app, cwd=tmp_path)
    text = (tmp_path / "study" / "config" / "config.yaml").read_text()
    example = (REPOSITORY / "config" / "examples" / f"{app}.yaml").read_text()
    assert example.splitlines()[1:] == text.splitlines()[1:]
    schema = installation.run("bidsloom", "schema", "--path", cwd=tmp_path).stdout.strip()
    assert text.splitlines()[0].endswith(f"$schema={schema}")
    printed = installation.run("bidsloom", "schema", cwd=tmp_path).stdout
    assert yaml.safe_load(printed) == yaml.safe_load(Path(schema).read_text())


def test_nothing_is_overwritten(installation, tmp_path):
    """A folder with anything in it is refused, and stays as it is."""
    (tmp_path / "notes.txt").write_text("mine")
    done = installation.run("bidsloom", "new", ".", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "not empty" in done.stderr
    assert ["notes.txt"] == [path.name for path in tmp_path.iterdir()]
