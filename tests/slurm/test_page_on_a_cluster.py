"""The live page on a machine with SLURM: what it starts runs on the cluster."""

import pytest
from helpers.live_page import LivePage
from helpers.waiting import wait_for


@pytest.fixture
def page(study):
    """The study's page, which sees the cluster."""
    study.write_config()
    page = LivePage(study.root, "--config", "study.yaml", env=study.cluster.environment)
    yield page
    page.close()


@pytest.mark.more
def test_a_study_on_the_cluster_by_the_page(study, page):
    """Three jobs on nodes; one is cancelled and tried again; all are merged."""
    (name,) = (each["id"] for each in page.get("/api/v1/studies")["studies"])
    path = f"/api/v1/studies/{name}"
    (study.switches / "wait").touch()
    page.post(f"{path}/actions/start", {"where": "cluster"}, code=202)
    wait_for(lambda: len(study.runs()) == 3, 120, "the start of the apps")
    wait_for(lambda: {"running"} == set(page.states(name).values()), 60, "their state on the page")
    units = page.get(f"{path}/units")["units"]
    queued = study.cluster.ask("squeue", "-h", "-r", "-t", "R", "-o", "%i %N").splitlines()
    assert sorted(queued) == sorted(f"{unit['job']} {unit['node']}" for unit in units)
    told = page.post(f"{path}/actions/cancel", {"units": ["sub-03"]})
    assert ["sub-03"] == told["cancelled"]
    (study.switches / "wait").unlink()
    wait_for(lambda: page.idle(name), 240, "the end of the run")
    assert {"sub-01": "merged", "sub-02": "merged", "sub-03": "failed"} == page.states(name)

    again = {"where": "cluster", "units": ["sub-03"]}
    page.post(f"{path}/actions/retry", again, code=202)
    wait_for(lambda: page.idle(name), 240, "the end of the second run")
    assert study.record("sub-03")["scheduler_job_id"]
    page.post(f"{path}/actions/merge", code=202)
    wait_for(lambda: page.idle(name), 120, "the end of the merge")
    assert {"merged"} == set(page.states(name).values())
