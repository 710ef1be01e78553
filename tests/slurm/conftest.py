"""A SLURM cluster for the tests, and studies that run on it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.cluster import Cluster
from helpers.on_cluster import OnCluster
from helpers.studies import Workspace, make_input, make_workspace
from helpers.waiting import wait_for


@dataclass
class ClusterStudy(OnCluster, Workspace):
    """A study that runs on the cluster, as a user runs it."""

    cluster: Cluster = None

    def states(self) -> dict[str, dict]:
        """Unit -> what status.py tells of it."""
        return {unit["unit"]: unit for unit in json.loads(self.status("--json").stdout)["units"]}

    def job_of(self, unit: str) -> str:
        """SLURM's id of the running job of a unit."""
        jobs: list[str] = []

        def is_running() -> bool:
            lines = self.cluster.ask("squeue", "-h", "-t", "R", "-o", "%i %k").splitlines()
            jobs.extend(line.split()[0] for line in lines if line.endswith(f"_{unit}"))
            return bool(jobs)

        wait_for(is_running, 90, f"the start of a job of {unit}")
        return jobs[0]


@pytest.fixture(scope="session")
def three_subjects(shared_disk):
    """An input dataset on the shared disk."""
    (shared_disk / "in put").mkdir()
    return make_input(shared_disk / "in put" / "bids", {"01": [None], "02": [None], "03": [None]})


@pytest.fixture
def study(shared_disk, cluster, three_subjects, request):
    """A study of three subjects on the cluster; /tmp of the node is its scratch."""
    root = Path(tempfile.mkdtemp(prefix=f"{request.node.name[:20]} ", dir=shared_disk))
    plain = make_workspace(root / "my study", three_subjects)
    plain.config["common"]["work_dir"] = "/tmp"
    # The job that looks around first would take longer than the studies.
    plain.config["hpc"] = {"mem": "900M", "time": "00:05:00", "check_node": False}
    made = ClusterStudy(plain.root, plain.config, cluster=cluster)
    yield made
    cluster.ask("scancel", "-u", cluster.user)
