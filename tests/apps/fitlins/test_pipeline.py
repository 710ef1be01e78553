"""Three apps in their containers, FitLins in the middle, as one chain on the cluster.

It is killed again and again; what it ends with has to be right all the same.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from apps.fitlins import planted
from helpers.cluster import Cluster
from helpers.on_cluster import OnCluster
from helpers.studies import git, run
from helpers.waiting import limit

pytestmark = pytest.mark.apps

STEPS = ("prepare", "fitlins", "regions")
# How many deaths, and the longest time until one, in seconds.
KILLS = 6
LONGEST = 60
SEED = 1


@dataclass
class Pipeline(OnCluster):
    """A chain of three studies of one dataset."""

    root: Path
    cluster: Cluster
    image: Path

    def study(self, name: str, reads: str | None, **container) -> dict:
        """A study whose app lies in FitLins' image."""
        bids_args = {"analysis_level": "participant", **container.pop("bids_args")}
        config = {
            "study": name,
            "common": {"work_dir": "/tmp"},
            "datalad": {
                "input_repo": str(self.root / "in put"),
                "output_repos": [f"out put/{name}.git"],
            },
            "container": {
                "name": name,
                "image": str(self.image),
                "runtime": "apptainer",
                "bids_args": bids_args,
                **container,
            },
            "hpc": {"mem": "1500M", "time": "00:15:00", "check_node": False},
        }
        if reads:
            config["datalad"]["inputs"] = [{"study": reads, "flag": "--derivatives"}]
        if reads == "fitlins":
            config["datalad"]["inputs"][0]["folder"] = "node-run"
        return config

    def studies(self) -> list[dict]:
        """Preparation, FitLins on it, and a table of what FitLins found."""
        prepare = self.study(
            "prepare",
            None,
            executable="/opt/steps/prepare.py",
            bids_args={"space": planted.SPACE},
        )
        fitlins = self.study(
            "fitlins",
            "prepare",
            bids_args={
                "model": "model-planted_smdl.json",
                "space": planted.SPACE,
                "work-dir": "{work_dir}",
                "n-cpus": "{threads}",
            },
        )
        fitlins["datalad"]["shared_files"] = ["dataset_description.json", "reports/*.html"]
        regions = self.study(
            "regions",
            "fitlins",
            executable="/opt/steps/regions.py",
            bids_args={"threshold": 4.5},
        )
        return [prepare, fitlins, regions]

    def write_config(self) -> Path:
        for config in self.studies():
            file = self.root / f"{config['study']}.yaml"
            file.write_text(yaml.safe_dump(config, sort_keys=False))
        path = self.root / "chain.yaml"
        path.write_text(yaml.safe_dump({"studies": [f"{name}.yaml" for name in STEPS]}))
        return path

    def store(self, name: str) -> Path:
        return self.root / "out put" / f"{name}.git"


@pytest.fixture(scope="module")
def pipeline(shared_disk, cluster, image):
    """The chain, killed at random moments and then run to its end."""
    root = Path(tempfile.mkdtemp(prefix="pipe line ", dir=shared_disk))
    run("datalad", "-l", "error", "create", "-c", "text2git", root / "in put", cwd=root)
    planted.write_dataset(root / "in put", raw=True)
    run("datalad", "-l", "error", "save", "-m", "data", cwd=root / "in put")
    pipeline = Pipeline(root, cluster, image)
    moments = random.Random(SEED)
    for _ in range(KILLS):
        kill_after(pipeline, moments.uniform(5, LONGEST), jobs=moments.random() < 0.5)
    pipeline.snakemake(check=False)
    pipeline.snakemake()
    yield pipeline
    cluster.ask("scancel", "-u", cluster.user)


def kill_after(pipeline: Pipeline, seconds: float, *, jobs: bool) -> None:
    """Start the chain, and kill Snakemake some time later; `jobs`: and what runs on the nodes."""
    process = pipeline.start()
    try:
        process.wait(timeout=limit(seconds))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if jobs:
        pipeline.cluster.ask("scancel", "--signal=KILL", "--full", "-u", pipeline.cluster.user)
    pipeline.snakemake("--unlock", check=False)


@pytest.mark.parametrize("hidden", planted.SUBJECTS, ids=lambda hidden: f"sub-{hidden.subject}")
def test_the_last_step_tells_what_was_planted_in_the_first(pipeline, hidden):
    """The region that FitLins found has the planted size and effect."""
    path = (
        f"derivatives/regions/sub-{hidden.subject}/func/sub-{hidden.subject}_desc-active_stat.tsv"
    )
    table = git("show", f"main:{path}", cwd=pipeline.store("regions")).splitlines()
    voxels, effect = table[1].split("\t")
    assert int(voxels) == hidden.inside.sum()
    assert float(effect) == pytest.approx(hidden.amplitude, rel=0.06)


def test_each_step_has_every_subject_and_registers_the_one_before(pipeline):
    """No branch is left, and what a main registers is the other's main."""
    for name, before in zip(STEPS, (None, *STEPS), strict=False):
        store = pipeline.store(name)
        assert "base git-annex main" == git(
            "branch", "--format=%(refname:short)", cwd=store
        ).replace("\n", " ")
        log = git("log", "main", "--format=%(trailers:key=Bidsloom-Unit,valueonly)", cwd=store)
        assert {"sub-01", "sub-02"} == set(log.split())
        if before:
            registered = git("rev-parse", f"main:sourcedata/{before}", cwd=store)
            assert registered == git("rev-parse", "main", cwd=pipeline.store(before))
    assert 0 == pipeline.status().returncode


def test_a_rerun_reads_what_the_result_was_made_from(pipeline, tmp_path):
    """FitLins' result of a subject, computed again in a fresh clone, has the same maps."""
    clone = tmp_path / "clone"
    run("datalad", "-l", "error", "clone", pipeline.store("fitlins"), clone, cwd=tmp_path)
    found = ("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-01")
    commit = git(*found, cwd=clone)
    run(
        *("datalad", "-l", "error", "rerun", "--onto", f"{commit}^", commit),
        cwd=clone,
        timeout=600,
    )
    changed = git("diff", "--name-only", commit, "HEAD", cwd=clone)
    assert "statmap" not in changed
