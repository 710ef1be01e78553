"""A chain on the cluster: two studies share one Snakemake, its queue and its names."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from helpers.chains import ChainSpace
from helpers.on_cluster import OnCluster
from helpers.waiting import limit, wait_for


class ClusterChain(OnCluster, ChainSpace):
    """A chain that runs on the cluster, as a user runs it."""

    cluster = None

    def rows(self) -> dict[str, dict[str, dict]]:
        """Study -> unit -> what status.py says of it."""
        told = json.loads(self.status("--json").stdout)["studies"]
        return {s["study"]: {unit["unit"]: unit for unit in s["units"]} for s in told}


@pytest.fixture
def chain(shared_disk, cluster, three_subjects):
    """Two studies of three subjects."""
    root = Path(tempfile.mkdtemp(prefix="chain ", dir=shared_disk))
    space = ClusterChain(root / "my chain")
    space.cluster = cluster
    for name, reads in (("first", ()), ("second-step", ("first",))):
        study = space.add(name, three_subjects, *reads)
        study.config["common"]["work_dir"] = "/tmp"
        study.config["hpc"] = {"mem": "900M", "time": "00:05:00", "check_node": False}
    yield space
    cluster.ask("scancel", "-u", cluster.user)


def test_a_chain_on_nodes(chain):
    """Jobs are told apart by their studies; a cancelled unit holds up its next step alone."""
    first, second = chain.studies.values()
    (first.switches / "wait").touch()
    process = chain.start()
    wait_for(lambda: len(first.runs()) == 3, 120, "the start of the apps")
    rows = chain.rows()
    assert {"running"} == {row["state"] for row in rows["first"].values()}
    waiting = rows["second-step"]["sub-01"]
    assert ("waiting", "waits for sub-01 of first, which is not done yet") == (
        waiting["state"],
        waiting["reason"],
    )
    cancelled = chain.status("--step", "first", "--cancel", "03")
    assert "sub-03: cancelled, SLURM job" in cancelled.stdout
    (first.switches / "slow-02").write_text("20")
    (first.switches / "wait").unlink()
    assert 1 == process.wait(timeout=limit(300)), (chain.root / "snakemake.out").read_text()
    assert ["sub-01", "sub-02"] == second.ledger()
    reason = chain.rows()["second-step"]["sub-03"]["reason"]
    assert reason.startswith("waits for sub-03 of first, which failed: sub-03 was cancelled")
    # Each next step starts when its own input is there.
    assert second.record("sub-01")["end"] < first.record("sub-02")["end"]
    assert second.record("sub-01")["scheduler_job_id"]

    chain.snakemake()
    assert ["sub-01", "sub-02", "sub-03"] == second.ledger()
    assert 0 == chain.status().returncode
