"""status.py beside a run on this machine."""

import json
import shutil
import sys
from collections import Counter

from helpers.studies import STATUS_SCRIPT, run
from helpers.waiting import exit_code, kill, wait_for


def status(workspace, *args):
    command = [sys.executable, STATUS_SCRIPT, "--config", workspace.write_config(), *args]
    return run(*command, cwd=workspace.root, check=False, env={"COLUMNS": "400"})


def states(workspace) -> dict[str, str]:
    units = json.loads(status(workspace, "--json").stdout)["units"]
    return {unit["unit"]: unit["state"] for unit in units}


def test_status_of_a_run_on_this_machine(workspace):
    """Jobs are seen while they live and no longer; one is cancelled and the others go on."""
    told = status(workspace)
    assert (told.returncode, "run `snakemake -n` first" in told.stderr) == (3, True)
    with workspace.held_jobs(running=2) as process:
        one, two = (f"sub-{label}" for label in workspace.runs())
        (three,) = {"sub-01", "sub-02", "sub-03"} - {one, two}
        assert states(workspace) == {one: "running", two: "running", three: "waiting"}
        told = status(workspace)
        assert told.returncode == 2
        assert told.stdout.startswith("probe: 2 running, 1 waiting")
        # SIGKILL: a dead job is not at work, whatever it left.
        kill(process)
        wait_for(lambda: set(states(workspace).values()) == {"waiting"})

    workspace.snakemake("--unlock")
    before = Counter(workspace.runs())
    with workspace.held_jobs("--cores", "2", "--retries", "1", running=2) as process:
        # Not always the two of the first run.
        one, two = (f"sub-{label}" for label in sorted(Counter(workspace.runs()) - before))
        (three,) = {"sub-01", "sub-02", "sub-03"} - {one, two}
        wait_for(lambda: states(workspace)[one] == "running")
        told = status(workspace, "--cancel", f"{one},{three}")
        assert told.returncode == 1
        assert f"{one}: cancelled, process " in told.stdout
        assert f"{three}: no job is at it, it is waiting" in told.stdout
        wait_for(lambda: workspace.attempts(one))
    assert exit_code(process) != 0
    assert states(workspace) == {one: "failed", two: "merged", three: "merged"}
    assert {"cancelled"} == {attempt["failure_class"] for attempt in workspace.attempts(one)}
    # Not tried again: in the second run, the app ran for it once.
    label = one.removeprefix("sub-")
    assert workspace.runs().count(label) == before[label] + 1
    failed = status(workspace, "--failed")
    assert (failed.returncode, "status.py --cancel" in failed.stdout) == (1, True)

    said = workspace.snakemake("--cores", "2", "--logger", "rich")
    assert "process subject" in said.stdout + said.stderr
    done = status(workspace)
    assert (done.returncode, done.stdout) == (0, "probe: 3 merged\n")
    # The store is the truth, whatever the notes say.
    (workspace.results / "merged.json").unlink()
    shutil.rmtree(workspace.results / "jobs")
    assert set(states(workspace).values()) == {"merged"}
    assert status(workspace, "--cancel", "77").returncode == 3
    assert status(workspace, "--nonsense").returncode == 3
