"""Studies on a real SLURM cluster."""

import contextlib
import json
import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest
from studies import git, make_input, make_workspace, run
from test_faults import wait_for

# One process runs them all, on one cluster.
pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("slurm")]


def test_twelve_subjects_on_all_nodes(study, shared_disk):
    """The cluster gives the same tree as this machine, the group's result included; jobs run on
    every node.
    """
    labels = [f"{n:02}" for n in range(1, 13)]
    root = make_input(shared_disk / "twelve", {label: [None] for label in labels})
    study.config["datalad"]["input_repo"] = str(root)
    here = make_workspace(study.root / "here", root)
    here.config["hpc"] = study.config["hpc"]
    for workspace in (study, here):
        workspace.config["container"]["group_level"] = True
    here.snakemake()
    study.snakemake()
    # Nodes have another home, without a git configuration.
    authors = git("log", "main", "--format=%an <%ae>", cwd=study.store).splitlines()
    assert {"A Tester <tester@example.org>"} == set(authors)
    assert here.tree() == study.tree()
    assert "probe/group_files.tsv" in study.tree()
    assert "SLURM job" in (study.results / "logs" / "group.log").read_text()
    logs = [(study.results / "logs" / f"sub-{label}.log").read_text() for label in labels]
    nodes = {log.rsplit(" on ", 1)[1].split()[0] for log in logs}
    assert {"node1", "node2", "node3", "node4"} == nodes
    record = json.loads((study.results / "jobs" / "sub-07.json").read_text())
    assert record["scheduler_job_id"].isdigit()
    assert record["requested"]["mem_mb"] == 900
    # SLURM's log is named in the unit's own, and accounting knows the subject.
    assert f"/{record['scheduler_job_id']}.log" in logs[6]
    comment = study.cluster.ask(
        "sacct", "-n", "-X", "-P", "-o", "comment", "-j", record["scheduler_job_id"]
    )
    assert comment.endswith("sub-07")


def test_retry_by_cause(study):
    """More memory after running out of it, the same once more after the app's own error."""
    (study.switches / "hog-01").write_text("1100")
    (study.switches / "fail-02").write_text("3")
    done = study.snakemake(check=False)
    assert done.returncode != 0
    assert [a["failure_class"] for a in study.attempts("sub-01")] == ["out_of_memory"]
    assert study.attempts("sub-01")[0]["requested"]["mem_mb"] == 900
    record = json.loads((study.results / "jobs" / "sub-01.json").read_text())
    assert record["requested"]["mem_mb"] == 1800
    assert study.attempts("sub-01")[0]["peak"]["rss_mb"] > 500
    errors = study.attempts("sub-02")
    assert [(a["failure_class"], a["exit_code"], a["requested"]["mem_mb"]) for a in errors] == [
        ("app_error", 3, 900)
    ] * 2
    assert study.runs().count("02") == 2
    assert "sub-03.html" in study.tree() and "sub-01.html" in study.tree()


def test_timeout_gets_more_time(study):
    """After its time limit a job is tried again with more time."""
    study.config["subjects"] = {"include": ["01"]}
    study.config["hpc"] |= {"time": "00:01:00", "retry": {"time_factor": 3}}
    (study.switches / "slow-01").write_text("75")
    study.snakemake()
    (attempt,) = study.attempts("sub-01")
    assert (attempt["failure_class"], attempt["requested"]["runtime"]) == ("timeout", 1)
    record = json.loads((study.results / "jobs" / "sub-01.json").read_text())
    assert record["requested"]["runtime"] == 3


def test_bad_input_is_not_tried_again(study):
    """A scratch folder that the node lacks fails once, by name."""
    study.config["common"]["work_dir"] = "/nowhere/on/any/node"
    study.config["subjects"] = {"include": ["01"]}
    done = study.snakemake(check=False)
    assert done.returncode != 0
    (attempt,) = study.attempts("sub-01")
    assert attempt["failure_class"] == "bad_config"
    assert "/nowhere/on/any/node" in attempt["message"]


def test_cancelled_and_preempted_jobs_end(study):
    """None is waited for in vain; each attempt has its cause, and the next one succeeds."""
    (study.switches / "wait").touch()
    study.config["hpc"]["cpus"] = 4
    process = study.start()
    one, two = study.job_of("sub-01"), study.job_of("sub-02")
    wait_for(lambda: len(study.runs()) == 3)
    study.cluster.ask("scancel", one)
    node = study.cluster.ask("squeue", "-h", "-j", two, "-o", "%N")
    urgent = ["sbatch", "-p", "urgent", "-w", node, "-c", "4", "--mem=100", "--wrap", "sleep 5"]
    study.cluster.ask(*urgent)
    wait_for(lambda: study.attempts("sub-01") and study.attempts("sub-02"), 120)
    (study.switches / "wait").unlink()
    assert process.wait(timeout=240) == 0, (study.root / "snakemake.out").read_text()
    assert [a["failure_class"] for a in study.attempts("sub-01")] == ["cancelled"]
    (preempted,) = study.attempts("sub-02")
    assert preempted["failure_class"] == "cancelled"
    assert "preemption" in preempted["message"]


def test_status_and_cancel_by_subject(study):
    """Each unit's job is seen where it is; a cancelled one is not tried again in this run."""
    (study.switches / "wait").touch()
    # One of the three has to wait: each node has four.
    study.config["hpc"]["cpus"] = 4
    study.cluster.ask("scontrol", "update", "NodeName=node[3-4]", "State=DRAIN", "Reason=test")
    process = study.start()
    try:
        wait_for(lambda: len(study.runs()) == 2, 120)
        wait_for(lambda: "queued" in study.status().stdout)
        states = study.states()
        running = [unit for unit, row in states.items() if row["state"] == "running"]
        (queued,) = states.keys() - running
        assert {states[unit]["node"] for unit in running} == {"node1", "node2"}
        for unit in running:
            assert states[unit]["job"] == study.job_of(unit)
            assert states[unit]["since"]
        assert study.status().returncode == 2
        one, other = running
        done = study.status("--cancel", f"{one.removeprefix('sub-')},{queued}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{one}: cancelled, SLURM job {states[one]['job']} on node" in done.stdout
        wait_for(lambda: study.attempts(one) and study.attempts(queued), 60)
        assert study.states()[other]["state"] == "running"
    finally:
        (study.switches / "wait").unlink()
        study.cluster.ask("scontrol", "update", "NodeName=node[3-4]", "State=RESUME")
    assert process.wait(timeout=240) != 0
    for unit in (one, queued):
        (attempt,) = study.attempts(unit)
        assert attempt["failure_class"] == "cancelled", attempt
        assert "status.py --cancel" in attempt["message"]
    assert {unit: row["state"] for unit, row in study.states().items()} == {
        one: "failed",
        queued: "failed",
        other: "merged",
    }
    assert study.status().returncode == 1
    again = study.status("--cancel", one)
    assert (again.returncode, again.stdout) == (1, f"{one}: no job is at it, it is failed\n")
    # A new run takes them up; here with progress bars.
    said = study.snakemake("--logger", "rich")
    assert "process subject" in said.stdout + said.stderr
    assert study.status().returncode == 0


def test_cancel_within_a_shared_job(study):
    """Neighbours are named, and cancelled only when that is asked for."""
    study.config["hpc"]["units_per_job"] = 3
    (study.switches / "wait").touch()
    process = study.start()
    wait_for(lambda: study.runs() == ["01"], 120)
    states = {unit: row["state"] for unit, row in study.states().items()}
    assert states == {"sub-01": "running", "sub-02": "queued", "sub-03": "queued"}
    refused = study.status("--cancel", "02")
    assert refused.returncode == 1
    assert "sub-02: not cancelled, its job also has sub-01, sub-03" in refused.stdout
    assert study.states()["sub-01"]["state"] == "running"
    done = study.status("--cancel", "02", "--with-neighbours")
    assert done.returncode == 0
    assert "with them: sub-01, sub-03" in done.stdout
    assert process.wait(timeout=120) != 0
    (study.switches / "wait").unlink()
    assert study.runs() == ["01"]
    classes = [[a["failure_class"] for a in study.attempts(unit)] for unit in sorted(states)]
    assert classes == [["cancelled"]] * 3


def test_node_that_dies_with_its_job(study):
    """Its job is tried again elsewhere, asking for the same."""
    study.config["subjects"] = {"include": ["01"]}
    (study.switches / "wait").touch()
    process = study.start()
    job = study.job_of("sub-01")
    wait_for(study.runs)
    node = study.cluster.ask("squeue", "-h", "-j", job, "-o", "%N")
    study.cluster.cut_power(int(node.removeprefix("node")))
    try:
        (study.switches / "wait").unlink()
        assert process.wait(timeout=240) == 0, (study.root / "snakemake.out").read_text()
    finally:
        study.cluster.start_node(int(node.removeprefix("node")))
        study.cluster.wait_for_nodes()
    (attempt,) = study.attempts("sub-01")
    assert attempt["failure_class"] == "node_failure"
    assert attempt["requested"]["mem_mb"] == 900


def test_killed_process_tree_of_a_job(study):
    """SIGKILL to all of a job's processes is an attempt that failed, and another succeeds."""
    study.config["subjects"] = {"include": ["01"]}
    (study.switches / "wait").touch()
    process = study.start()
    study.job_of("sub-01")
    wait_for(study.runs)
    pid = int(next(study.switches.glob("ran-01-*")).name.split("-")[2])
    family = [psutil.Process(pid), *psutil.Process(pid).parents()]
    # From the app up to the step's first process; what is above is SLURM's own.
    for process_ in family:
        if process_.name().startswith("slurm"):
            break
        process_.kill()
    (study.switches / "wait").unlink()
    assert process.wait(timeout=240) == 0, (study.root / "snakemake.out").read_text()
    (attempt,) = study.attempts("sub-01")
    assert attempt["failure_class"] == "node_failure"


def test_controller_restarts_in_mid_run(study):
    """A slurmctld that is away for a while loses no job."""
    (study.switches / "wait").touch()
    process = study.start()
    wait_for(lambda: len(study.runs()) == 3, 120)
    study.cluster.restart_controller(pause=8)
    (study.switches / "wait").unlink()
    assert process.wait(timeout=240) == 0, (study.root / "snakemake.out").read_text()
    assert study.runs() == ["01", "02", "03"]


def test_forgotten_job_is_given_up(study):
    """A job that SLURM itself has forgotten is not waited for; another attempt succeeds."""
    study.config["subjects"] = {"include": ["01"]}
    (study.switches / "wait").touch()
    process = study.start()
    forgotten = study.job_of("sub-01")
    wait_for(study.runs)
    study.cluster.restart_controller(1, "-c")
    study.cluster.wait_for_nodes()
    (study.switches / "wait").unlink()
    assert 0 == process.wait(timeout=240), (study.root / "snakemake.out").read_text()
    (attempt,) = study.attempts("sub-01")
    assert "node_failure" == attempt["failure_class"]
    assert forgotten == attempt["scheduler_job_id"]
    assert "VANISHED" == attempt["scheduler_state"]


def test_ctrl_c_cancels_the_jobs(study):
    """An interrupted study leaves no job in the queue and no clone on a node."""
    study.config["common"]["work_dir"] = str(study.scratch)
    (study.switches / "wait").touch()
    process = study.start()
    wait_for(lambda: len(study.runs()) == 3, 120)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=120) != 0
    wait_for(lambda: not study.cluster.ask("squeue", "-h"), 60)
    wait_for(lambda: not list(study.scratch.iterdir()), 20)


def test_killed_head_and_rerun(study):
    """A new Snakemake beside the jobs of a killed one neither doubles nor loses a subject."""
    (study.switches / "wait").touch()
    process = study.start()
    wait_for(lambda: len(study.runs()) == 3, 120)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = study.start("--nolock")
    wait_for(lambda: len(study.runs()) == 6, 120)
    (study.switches / "wait").unlink()
    assert again.wait(timeout=240) == 0, (study.root / "snakemake.out").read_text()
    wait_for(lambda: not study.cluster.ask("squeue", "-h"), 60)
    # The killed one's lock, told by Snakemake with what to type.
    study.snakemake("--unlock")
    study.snakemake()
    assert study.branches() == ["base", "git-annex", "main"]
    for unit in ("sub-01", "sub-02", "sub-03"):
        commits = git(
            "log", "main", "--format=%H", f"--grep=Bidsloom-Unit: {unit}", cwd=study.store
        )
        assert len(commits.split()) == 1


def test_graphics_card_reaches_sbatch(study):
    """`hpc.gpus` is asked for; the only node with a card gets the job."""
    study.config["subjects"] = {"include": ["01"]}
    study.config["hpc"]["gpus"] = 1
    study.snakemake()
    record = json.loads((study.results / "jobs" / "sub-01.json").read_text())
    asked = study.cluster.ask("scontrol", "show", "job", record["scheduler_job_id"])
    assert "gpu" in asked.partition("Tres")[2]
    assert record["host"] == "node1"


def test_store_without_space_for_a_while(study):
    """A full store fails the push by name; with space again the study ends as if nothing was."""
    disk = study.root / "small"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=160m", "none", disk, cwd="/")
    try:
        study.config["datalad"]["output_repos"] = [str(disk / "store.git")]
        study.snakemake("prepare_study", "list_subjects")
        ballast = disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as f:
            while True:
                f.write(b"\0" * 65536)
        done = study.snakemake("--retries", "0", check=False)
        assert done.returncode != 0
        assert study.attempts("sub-01")[-1]["failure_class"] in ("no_space", "store_unavailable")
        ballast.unlink()
        study.snakemake()
        assert study.branches(disk / "store.git") == ["base", "git-annex", "main"]
    finally:
        time.sleep(0.5)
        run("umount", "-l", disk, cwd="/")


def test_job_scripts_do_the_whole_job(study):
    """A script submitted by hand is a unit done; the header asks for the same."""
    study.config["hpc"] |= {"environment": {"PROBE_VARIABLE": "by hand"}, "cpus": 2}
    study.snakemake("job_scripts")
    scripts = sorted((study.results / "scripts").glob("*.sh"))
    assert [p.name for p in scripts] == ["sub-01.sh", "sub-02.sh", "sub-03.sh"]
    for script in scripts:
        run("bash", "-n", script, cwd="/")
        run("shellcheck", script, cwd="/")
    study.cluster.ask("sbatch", "--wait", str(scripts[1]))
    assert study.runs() == ["02"]
    record = json.loads((study.results / "jobs" / "sub-02.json").read_text())
    job = study.cluster.ask("scontrol", "show", "job", record["scheduler_job_id"])
    assert "TimeLimit=00:05:00" in job
    assert "CPUs/Task=2" in job
    study.snakemake()
    assert study.runs() == ["01", "02", "03"]
    text = git("show", "main:probe/sub-02/sub-02_desc-probe.json", cwd=study.store)
    assert json.loads(text)["variable"] == "by hand"

    # Two of them again: one job, with the time of two.
    study.config["prove"] = {"units": 2}
    study.snakemake("prove")
    proof = json.loads((study.results / "proof.json").read_text())
    assert ["identical", "identical"] == [unit["state"] for unit in proof["units"]]
    jobs = study.cluster.ask("sacct", "-n", "-X", "-P", "-o", "Comment,Timelimit,ReqMem,State")
    assert ["rule_prove|00:10:00|900M|COMPLETED"] == [
        line for line in jobs.splitlines() if line.startswith("rule_prove")
    ]


def test_one_check_before_all_jobs(study):
    """A lock file in /tmp is another one on each node: one job says so, no unit's job is spent."""
    if not study.cluster.private_tmp:
        pytest.skip("needs root, so that each job has its own /tmp")
    study.config["hpc"].pop("check_node")
    study.config["datalad"]["lock_file"] = "/tmp/bidsloom-test.lock"
    done = study.snakemake("--retries", "0", check=False)
    assert done.returncode != 0
    assert "does not stop other nodes" in done.stderr
    assert study.runs() == []
    study.config["datalad"]["lock_file"] = str(study.root / "study.lock")
    (study.switches / "fail-01").write_text("3")
    study.snakemake("--retries", "0", check=False)
    assert study.runs() == ["01", "02", "03"]
    # Its word holds for the day, and for the same study.
    listed = study.snakemake("-n").stdout
    assert "process_subject" in listed and "check_node" not in listed
    study.config["hpc"]["mem"] = "800M"
    assert "check_node" in study.snakemake("-n").stdout


def test_check_on_the_nodes(study, monkeypatch):
    """All is looked at where jobs run, and one node's lock by another; nothing is left behind."""
    monkeypatch.setenv("COLUMNS", "500")
    study.config["datalad"]["lock_file"] = str(study.root / "study.lock")
    found = study.snakemake("check").stdout
    rows = {tuple(line.split()[1:3]): line for line in found.splitlines() if "  node" in line}
    assert {"programs", "container", "datalad.input_repo", "datalad.output_repos"} <= {
        what for what, _ in rows
    }
    (lock,) = re.findall(r"(node\d) did not get the lock that (node\d) held", found)
    assert len(set(lock)) == 2
    assert not study.store.exists()
    left = [path.name for path in study.root.rglob("*") if "check-" in path.name]
    assert left == []
    # Each fault is found where it is, and all are told.
    study.config["container"]["call_fmt"] = "pythn3 {img} {cmd}"
    study.config["datalad"]["lock_file"] = "/tmp/bidsloom-test.lock"
    done = study.snakemake("check", check=False)
    assert done.returncode != 0
    assert re.search(r"FAILURE  container +node\d +probe does not start: .*not found", done.stdout)
    if study.cluster.private_tmp:
        assert "does not lock between node" in done.stdout


def test_modules_are_loaded_and_missed_by_name(study, monkeypatch):
    """`hpc.modules` reach the job; a missing one is told with its node, and not tried again."""
    if not Path("/usr/share/modules/init/bash").exists():
        pytest.skip("needs: apt-get install environment-modules")
    modules = study.root / "modules"
    modules.mkdir()
    (modules / "probe-tools").write_text("#%Module1.0\nsetenv PROBE_VARIABLE from-the-module\n")
    monkeypatch.setenv("BASH_ENV", "/usr/share/modules/init/bash")
    monkeypatch.setenv("MODULEPATH", str(modules))
    study.config["hpc"]["modules"] = ["probe-tools"]
    study.config["subjects"] = {"include": ["01"]}
    study.snakemake()
    text = git("show", "main:probe/sub-01/sub-01_desc-probe.json", cwd=study.store)
    assert json.loads(text)["variable"] == "from-the-module"
    study.config["hpc"]["modules"] = ["not-there"]
    study.config["subjects"] = {"include": ["01", "02"]}
    done = study.snakemake(check=False)
    assert done.returncode != 0
    (attempt,) = study.attempts("sub-02")
    assert attempt["failure_class"] == "bad_config"
    assert "of hpc.modules is missing on node" in attempt["message"]


def test_scratch_disk_without_space(study):
    """A scratch disk that fills up is told as such, tried once more, and nothing of it is kept."""
    disk = study.root / "scratch of the node"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=700k", "none", disk, cwd="/")
    study.config["common"]["work_dir"] = str(disk)
    study.config["subjects"] = {"include": ["01"]}
    try:
        done = study.snakemake(check=False)
        assert done.returncode != 0
        assert {"no_space"} == {a["failure_class"] for a in study.attempts("sub-01")}
        assert list(disk.iterdir()) == []
    finally:
        run("umount", "-l", disk, cwd="/")
    study.config["common"]["work_dir"] = "/tmp"
    study.snakemake()
    assert "sub-01.html" in study.tree()


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
    while process.poll() is None:
        comments |= set(study.cluster.ask("squeue", "-h", "-o", "%k").split())
        # Some errors pass.
        if len(study.attempts("sub-01")) == 1:
            (study.switches / "fail-01").unlink(missing_ok=True)
        time.sleep(0.3)
    assert process.returncode == 0, (study.root / "snakemake.out").read_text()
    (comment,) = comments
    assert comment.startswith("rule_process_batch_wildcards_sub-01_x4_")
    assert study.runs() == ["01", "01", "02", "02", "03", "04"]
    (error,), (killed,) = study.attempts("sub-01"), study.attempts("sub-02")
    assert (error["failure_class"], error["exit_code"]) == ("app_error", 3)
    assert (killed["failure_class"], killed["requested"]["mem_mb"]) == ("out_of_memory", 900)
    assert error["scheduler_job_id"] == killed["scheduler_job_id"]
    records = [
        json.loads((study.results / "jobs" / f"sub-{n:02}.json").read_text()) for n in range(1, 5)
    ]
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
