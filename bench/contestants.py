"""The contestants of peers.py: how each gets from nothing to merged results."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from job import VERIFIED
from measure import REPOSITORY, run_measured
from slurm_job import SHARED, Cluster, array_of, write_array
from study import APP, INPUT_PATH, label, make_study
from synthetic import git

# BABS and the plain array have programs of their own.
PEERS = REPOSITORY / ".cache" / "peers" / "bin"

# FAIRly-big's set-up: a dataset with the input and the container, and its two stores.
SET_UP = """\
set -e
datalad create -c yoda "$root/source"
cd "$root/source"
datalad create-sibling-ria -s input --new-store-ok --storage-sibling off --alias "$app" \\
    "ria+file://$root/input"
datalad create-sibling-ria -s output --new-store-ok --alias "$app" "ria+file://$root/output"
datalad clone -d . "$images" code/pipeline
datalad containers-add -i "code/pipeline/.datalad/environments/$app/image" \\
    --call-fmt 'singularity run -B {{pwd}} --cleanenv {img} {cmd}' "$app"
datalad clone -d . "$bids" "$raw"
datalad drop -d . --what all --reckless availability "$raw"
datalad push --to input
datalad push --to output
"""

# FAIRly-big's end: one octopus merge, and git-annex asked for the content of all results.
MERGE = """\
set -e
datalad clone "ria+file://$root/output#~$app" "$root/merge"
cd "$root/merge"
git merge -m "Merge results" $(git for-each-ref --format='%(refname)' refs/remotes/origin/job)
git push
git annex fsck --fast -f output-storage
test -z "$(git annex find --not --in output-storage)"
git annex dead here
datalad push --data nothing
"""


@dataclass(frozen=True)
class Ground:
    """What all contestants have: subjects, an image, a cluster."""

    root: Path
    cluster: Cluster
    bids: Path
    image: Path
    images: Path
    units: int

    @property
    def submissions(self) -> Path:
        """A file with a line for every call of sbatch."""
        return self.root / "submissions"

    @property
    def peers_path(self) -> str:
        """The programs of BABS and of the plain array come first there."""
        return os.pathsep.join([str(PEERS), self.cluster.environment["PATH"]])


@dataclass
class Run:
    """One run of a contestant: what its commands took, in turn, and its jobs."""

    seconds: dict[str, float] = field(default_factory=dict)
    own_cpu: float = 0
    job_cpu: float = 0
    submissions: int = 0
    load: float = 0

    @property
    def wall(self) -> float:
        """Seconds from nothing to merged."""
        return sum(self.seconds.values())

    def call(self, step: str, *command: str | Path, cwd: Path, env: dict[str, str]) -> None:
        """Run a command as part of a step."""
        usage = run_measured(command, cwd=cwd, env=env)
        self.seconds[step] = self.seconds.get(step, 0) + usage.wall
        self.own_cpu += usage.cpu

    def wait_for_jobs(self, step: str, cluster: Cluster) -> None:
        """Look into the queue every second until it is empty."""
        start = time.monotonic()
        while cluster.ask("squeue", "-h"):
            time.sleep(1)
        self.seconds[step] += time.monotonic() - start


def run_babs(ground: Ground, root: Path) -> Run:
    """BABS, with the commands that its documentation has."""
    env = {**ground.cluster.environment, "PATH": ground.peers_path}
    config = root / "babs.yaml"
    config.write_text(yaml.safe_dump(babs_config(ground, root / "scratch")))
    project = root / "project"
    names = ["--container_ds", ground.images, "--container_name", APP]
    how = ["--container_config", config, "--processing_level", "subject", "--queue", "slurm"]
    run = Run()
    run.call("set-up", "babs", "init", *names, *how, project, cwd=root, env=env)
    run.call("jobs", "babs", "submit", project, cwd=root, env=env)
    run.wait_for_jobs("jobs", ground.cluster)
    run.call("merge", "babs", "merge", project, cwd=root, env=env | VERIFIED)
    check_merged(ground, project / "output_ria" / "alias" / "data")
    return run


def babs_config(ground: Ground, scratch: Path) -> dict:
    """The container config of `babs init`."""
    # BABS hands no variable of its own to a job.
    variables = {**VERIFIED, "HOME": os.environ["HOME"], "PATH": ground.peers_path}
    preamble = [f"export {name}='{value}'" for name, value in variables.items()]
    dataset = {
        "required_files": ["dataset_description.json"],
        "is_zipped": False,
        "origin_url": str(ground.bids),
        "path_in_babs": INPUT_PATH,
    }
    return {
        "input_datasets": {"BIDS": dataset},
        "cluster_resources": {
            "interpreting_shell": "/bin/bash",
            "hard_memory_limit": "1000M",
            "hard_runtime_limit": "00:10:00",
        },
        "script_preamble": "\n".join(preamble),
        "job_compute_space": str(scratch),
        "singularity_args": ["--cleanenv"],
        "zip_foldernames": {APP: "1"},
        "all_results_in_one_zip": True,
    }


def run_plain_array(ground: Ground, root: Path) -> Run:
    """FAIRly-big's commands: set-up, an array of jobs, merge."""
    env = {**ground.cluster.environment, "PATH": ground.peers_path, "app": APP, "raw": INPUT_PATH}
    env |= {"root": str(root), "bids": str(ground.bids), "images": str(ground.images)}
    settings = {
        "dataset": f"ria+file://{root}/input#~{APP}",
        "scratch": root / "scratch",
        "store": root / "output" / "alias" / APP,
    }
    run = Run()
    run.call("set-up", "sh", "-c", SET_UP, cwd=root, env=env)
    write_array(root / "scripts", settings, ground.units)
    array = array_of(root / "scripts", 1, ground.units)
    run.call("jobs", "sbatch", *array, cwd=root, env=env)
    run.wait_for_jobs("jobs", ground.cluster)
    run.call("merge", "sh", "-c", MERGE, cwd=root, env=env | VERIFIED)
    check_merged(ground, root / "output" / "alias" / APP)
    return run


def run_bidsloom(ground: Ground, root: Path, *options: str, units_per_job: int = 1) -> Run:
    """The one command of bidsloom."""
    study = make_study(
        root / "study",
        ground.bids,
        units_per_job=units_per_job,
        image=ground.image,
        prepare=False,
    )
    run = Run()
    command = study.snakemake("--profile", "slurm", *options)
    run.call("all", *command, cwd=REPOSITORY, env=ground.cluster.environment)
    check_merged(ground, study.store)
    return run


Contestant = Callable[[Ground, Path], Run]

BABS = "BABS"
PLAIN_ARRAY = "array of FAIRly-big's commands"
TWO = ("--jobs", "2")
CONTESTANTS: dict[str, Contestant] = {
    BABS: run_babs,
    PLAIN_ARRAY: run_plain_array,
    "bidsloom, a unit a job": lambda ground, root: run_bidsloom(ground, root, *TWO),
    f"bidsloom, {SHARED} units a job": lambda ground, root: run_bidsloom(
        ground, root, *TWO, units_per_job=SHARED
    ),
    "bidsloom as it comes": run_bidsloom,
}


def check_merged(ground: Ground, store: Path) -> None:
    """Raise where main of a store lacks a unit: numbers of a failed run are worth nothing."""
    names = git("ls-tree", "-r", "--name-only", "HEAD", cwd=store)
    missing = [n for n in range(1, ground.units + 1) if f"sub-{label(n)}" not in names]
    if missing:
        raise RuntimeError(f"{store} lacks the results of {len(missing)} of {ground.units} units")
