"""What tests make: BIDS datasets, studies, runs of Snakemake; all real."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from .forks import forks
from .waiting import kill, limit, wait_for

REPOSITORY = Path(__file__).parents[2]
JOB_SCRIPT = REPOSITORY / "workflow" / "scripts" / "process_subject.py"
STATUS_SCRIPT = REPOSITORY / "workflow" / "scripts" / "status.py"
PROBE_APP = REPOSITORY / "tests" / "apps" / "probe_app.py"


def run(*cmd, cwd, env=None, timeout=240, check=True):
    """Run a program and return its result; a failure shows what it printed.

    `timeout`: seconds on an idle machine.
    """
    program, *arguments = [str(c) for c in cmd]
    env = {**os.environ, **(env or {})}
    if program == "snakemake":
        done = forks().run(arguments, cwd=cwd, env=env, timeout=limit(timeout))
    else:
        done = subprocess.run(
            [program, *arguments],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            timeout=limit(timeout),
            stdin=subprocess.DEVNULL,
        )
    if check and done.returncode:
        pytest.fail(f"{cmd} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done


def git(*args, cwd):
    """Output of a git command."""
    return run("git", *args, cwd=cwd).stdout.strip()


def without_description(tree: str) -> list[str]:
    """A tree without the file that names the input and the container that were used."""
    return [line for line in tree.splitlines() if not line.endswith("/dataset_description.json")]


def write_unit(folder: Path, prefix: str) -> None:
    """A T1w image (of a few bytes) with its sidecar."""
    (folder / "anat").mkdir(parents=True)
    (folder / "anat" / f"{prefix}_T1w.nii.gz").write_bytes(f"voxels of {prefix}\0".encode() * 50)
    (folder / "anat" / f"{prefix}_T1w.json").write_text('{"EchoTime": 0.003}')


def write_bids(root: Path, units: dict[str, list[str | None]]) -> None:
    """Subject -> sessions (None: without) as BIDS files."""
    description = {"Name": "tests", "BIDSVersion": "1.10.0"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    (root / "README").write_text("for tests")
    (root / "task-rest_bold.json").write_text('{"RepetitionTime": 2.0}')
    rows = ["participant_id", *(f"sub-{subject}" for subject in units)]
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    for subject, sessions in units.items():
        for session in sessions:
            prefix = f"sub-{subject}" + (f"_ses-{session}" if session else "")
            write_unit(root / f"sub-{subject}" / (f"ses-{session}" if session else ""), prefix)


def make_input(root: Path, units: dict[str, list[str | None]]) -> Path:
    """A DataLad dataset with annexed images."""
    run("datalad", "-l", "error", "create", "-c", "text2git", root, cwd=root.parent)
    write_bids(root, units)
    run("datalad", "-l", "error", "save", "-m", "data", cwd=root)
    return root


@dataclass
class Workspace:
    """A folder in which a user runs a study."""

    root: Path
    config: dict
    prefix: tuple[str, ...] = ()

    @property
    def results(self) -> Path:
        return self.root / "results" / "probe"

    @property
    def store(self) -> Path:
        return self.root / "out put" / "store.git"

    @property
    def switches(self) -> Path:
        return self.root / "switches"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch disk"

    def write_config(self) -> Path:
        path = self.root / "study.yaml"
        path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        return path

    def command(self, *args) -> list[str]:
        return [
            *self.prefix,
            *("snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
            *("--directory", str(self.root), "--configfile", str(self.write_config())),
            *map(str, args),
        ]

    def snakemake(self, *args, check=True, **kwargs):
        return run(*self.command(*(args or ("--cores", "2"))), cwd=self.root, check=check, **kwargs)

    def start(self, *args) -> subprocess.Popen:
        """Snakemake in the background, in a process group of its own."""
        with (self.root / "snakemake.out").open("w") as out:
            return subprocess.Popen(
                self.command(*(args or ("--cores", "2"))),
                cwd=self.root,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @contextlib.contextmanager
    def held_jobs(self, *args, running: int = 1) -> Iterator[subprocess.Popen]:
        """Snakemake in the background, whose jobs go on at the end of the block.

        The block begins once the app runs in so many more jobs.
        """
        (self.switches / "wait").touch()
        before = len(self.runs())
        process = self.start(*args)
        try:
            wait_for(lambda: len(self.runs()) >= before + running, 120, "the start of the apps")
            yield process
        except BaseException:
            if process.poll() is None:
                kill(process)
            raise
        finally:
            (self.switches / "wait").unlink()

    def said(self) -> str:
        """What Snakemake in the background has printed so far."""
        return (self.root / "snakemake.out").read_text()

    def runs(self) -> list[str]:
        """Labels of the subjects the app ran for, one each time."""
        return sorted(p.name.split("-")[1] for p in self.switches.glob("ran-*"))

    def attempts(self, unit: str) -> list[dict]:
        path = self.results / "attempts" / f"{unit}.json"
        return json.loads(path.read_text()) if path.exists() else []

    def record(self, unit: str) -> dict:
        """The record of a unit's job."""
        return json.loads((self.results / "jobs" / f"{unit}.json").read_text())

    def branches(self, store: Path | None = None) -> list[str]:
        out = git(
            "for-each-ref", "--format=%(refname:short)", "refs/heads", cwd=store or self.store
        )
        return sorted(out.splitlines())

    def tree(self, store: Path | None = None) -> str:
        """Every file of the merged dataset below the output folder, with its blob."""
        return git("ls-tree", "-r", "main", "probe/", cwd=store or self.store)

    def clone(self, name="a clone", url=None) -> Path:
        target = self.root / name
        run("datalad", "-l", "error", "clone", url or self.store, target, cwd=self.root)
        return target


def make_workspace(root: Path, input_dataset: Path) -> Workspace:
    """A study of the input's subjects by the probe app."""
    for name in ("switches", "scratch disk"):
        (root / name).mkdir(parents=True)
    config = {
        "study": "probe",
        "common": {"work_dir": "scratch disk"},
        "datalad": {"input_repo": str(input_dataset), "output_repos": ["out put/store.git"]},
        # One test validates; each start of the validator takes seconds.
        "report": {"validate": False},
        "container": {
            "name": "probe",
            "image": str(PROBE_APP),
            "runtime": "none",
            "call_fmt": "python3 -I {img} {cmd}",
            "outputs": ["probe"],
            "bids_args": {"switches": str(root / "switches")},
        },
    }
    return Workspace(root, config)
