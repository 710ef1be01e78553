"""Units that share a job on a cluster."""

import time

import pytest
from helpers.studies import make_input
from helpers.waiting import limit

pytestmark = pytest.mark.slurm


def test_batch_in_one_allocation(study, shared_disk):
    """Units share an allocation; the one that breaks it is tried again last, with more memory.

    An app's own error is in nobody's way either, and all are retried in one job.
    """
    root = shared_disk / "four"
    if not root.exists():
        make_input(root, {f"{n:02}": [None] for n in range(1, 5)})
    study.config["datalad"]["input_repo"] = str(root)
    study.config["hpc"] |= {"units_per_job": 4, "time": "00:02:00"}
    (study.switches / "hog-02").write_text("1100")
    (study.switches / "fail-01").write_text("3")
    process = study.start()
    comments = set()
    end = time.monotonic() + limit(300)
    while process.poll() is None:
        assert time.monotonic() < end, study.said()
        comments |= set(study.cluster.ask("squeue", "-h", "-o", "%k").split())
        # Some errors pass.
        if len(study.attempts("sub-01")) == 1:
            (study.switches / "fail-01").unlink(missing_ok=True)
        time.sleep(0.3)
    assert process.returncode == 0, study.said()
    (comment,) = comments
    assert comment.startswith("rule_process_batch_wildcards_sub-01_x4_")
    assert study.runs() == ["01", "01", "02", "02", "03", "04"]
    (error,), (killed,) = study.attempts("sub-01"), study.attempts("sub-02")
    assert (error["failure_class"], error["exit_code"]) == ("app_error", 3)
    assert (killed["failure_class"], killed["requested"]["mem_mb"]) == ("out_of_memory", 900)
    assert error["scheduler_job_id"] == killed["scheduler_job_id"]
    records = [study.record(f"sub-{n:02}") for n in range(1, 5)]
    (job,) = {record["scheduler_job_id"] for record in records}
    assert job != killed["scheduler_job_id"]
    assert {1800} == {record["requested"]["mem_mb"] for record in records}
    assert records[0]["attempt"] == records[1]["attempt"] == 2
    # Neighbours first, then those that had failed.
    assert [3, 4, 1, 2] == sorted(range(1, 5), key=lambda n: records[n - 1]["end"])
    asked = study.cluster.ask("sacct", "-n", "-X", "-P", "-j", job, "-o", "Timelimit,ReqMem")
    assert asked == "00:08:00|1800M"
    for unit in ("sub-01", "sub-02", "sub-03", "sub-04"):
        assert f"{unit}.html" in study.tree()
