"""Merged results are computed again in fresh clones, and compared with what was merged."""

import json
import os
import signal
from pathlib import Path

from helpers.studies import git
from helpers.waiting import exit_code


def proof_of(workspace) -> dict:
    return json.loads((workspace.results / "proof.json").read_text())


def states_of(workspace) -> dict[str, str]:
    """Unit -> how its second result compares with the first one."""
    return {unit["unit"]: unit["state"] for unit in proof_of(workspace)["units"]}


def test_same_results_are_proved(workspace):
    """Some units run again, by their own commits, and nothing is left of it but the verdict."""
    workspace.config["container"]["bids_filter"] = {"t1w": {"suffix": "T1w"}}
    workspace.config["prove"] = {"units": 2, "seed": 1}
    workspace.snakemake()
    before = git("for-each-ref", cwd=workspace.store)
    workspace.snakemake("--cores", "1", "prove")
    proof = proof_of(workspace)
    assert states_of(workspace) == {"sub-01": "identical", "sub-03": "identical"}
    assert proof["identical"]
    assert proof["main"] == git("rev-parse", "main", cwd=workspace.store)
    # Data with a sidecar, a page, and two files that all share.
    assert [5, 5] == [unit["files"] for unit in proof["units"]]
    assert workspace.runs() == ["01", "01", "02", "03", "03"]
    assert before == git("for-each-ref", cwd=workspace.store)
    assert list(workspace.scratch.iterdir()) == []
    report = json.loads((workspace.results / "report.json").read_text())
    assert report["proof"]["identical"], "the report does not tell of it"


def test_difference_is_told(workspace):
    """A file that changes with each run is named, in each dataset of the output; so is a failure."""
    surfaces = {"path": "sourcedata/surfaces", "repo": str(workspace.root / "surfaces.git")}
    workspace.config["container"]["outputs"] = ["probe", surfaces]
    workspace.config["container"]["bids_args"]["fs-subjects-dir"] = surfaces["path"]
    workspace.config["subjects"] = {"include": ["01", "02"]}
    (workspace.switches / "stamp").touch()
    workspace.snakemake()
    (workspace.switches / "fail-02").write_text("3")
    done = workspace.snakemake("--cores", "1", "prove", check=False)
    assert done.returncode == 1
    assert "sub-01: differs, 1 of 8 files (probe/sub-01/sub-01_time.txt)" in done.stderr
    assert "sub-02: failed: no brain found in sub-02" in done.stderr
    assert states_of(workspace) == {"sub-01": "differs", "sub-02": "failed"}
    assert list(workspace.scratch.iterdir()) == []

    (workspace.switches / "fail-02").unlink()
    (workspace.switches / "stamp").unlink()
    (workspace.switches / "no-surfaces").touch()
    workspace.snakemake("--cores", "1", "prove", check=False)
    first, _ = proof_of(workspace)["units"]
    assert first["missing"] == [
        "probe/sub-01/sub-01_time.txt",
        "sourcedata/surfaces/logs/first.txt",
        "sourcedata/surfaces/sub-01/surf/lh.white",
    ]


def test_interrupted_proof_leaves_nothing(workspace):
    """Ctrl-C ends the app that runs again, and its clone is removed."""
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake()
    with workspace.held_jobs("--cores", "1", "prove") as process:
        app = next(p for p in workspace.switches.glob("ran-01-*") if is_alive(p))
        os.killpg(process.pid, signal.SIGINT)
        exit_code(process)
    assert list(workspace.scratch.iterdir()) == []
    assert not is_alive(app)
    assert not (workspace.results / "proof.json").exists()


def is_alive(mark) -> bool:
    """Whether the app that left a mark still runs."""
    return Path("/proc", mark.name.rpartition("-")[2], "cwd").exists()
