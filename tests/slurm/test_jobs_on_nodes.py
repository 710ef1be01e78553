"""Studies on a real SLURM cluster, and what their jobs ask for."""

import json
import shlex

import pytest
from helpers.studies import git, make_input, make_workspace, run

pytestmark = pytest.mark.slurm


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
    record = study.record("sub-07")
    assert record["scheduler_job_id"].isdigit()
    assert record["requested"]["mem_mb"] == 900
    # SLURM's log is named in the unit's own, and accounting knows the subject.
    assert f"/{record['scheduler_job_id']}.log" in logs[6]
    comment = study.cluster.ask(
        "sacct", "-n", "-X", "-P", "-o", "comment", "-j", record["scheduler_job_id"]
    )
    assert comment.endswith("sub-07")


def test_graphics_card_reaches_sbatch(study):
    """`hpc.gpus` is asked for; the only node with a card gets the job."""
    study.config["subjects"] = {"include": ["01"]}
    study.config["hpc"]["gpus"] = 1
    study.snakemake()
    record = study.record("sub-01")
    asked = study.cluster.ask("scontrol", "show", "job", record["scheduler_job_id"])
    assert "gpu" in asked.partition("Tres")[2]
    assert record["host"] == "node1"


def test_options_reach_sbatch_as_they_are(study):
    """By Snakemake and by a job script; no shell reads them, and the plugin stops at none."""
    text = f"it's -J $(touch '{study.root}/appeared') \\ \"x\""
    study.config["subjects"] = {"include": ["01", "02"]}
    options = ["--constraint=skylake", "--nice=7", f"--network={text}"]
    study.config["hpc"] |= {"sbatch": shlex.join(options)}
    study.snakemake("job_scripts")
    script = study.results / "scripts" / "sub-02.sh"
    study.cluster.ask("sbatch", "--wait", str(script), seconds=120)
    assert ["02"] == study.runs()
    study.snakemake()
    assert ["01", "02"] == study.runs()
    for unit in ("sub-01", "sub-02"):
        record = study.record(unit)
        job = study.cluster.ask("scontrol", "show", "job", record["scheduler_job_id"])
        assert record["host"] == "node2"
        assert "Nice=7" in job
        assert f"Network={text}" in job
    assert not (study.root / "appeared").exists()


def test_job_scripts_do_the_whole_job(study):
    """A script submitted by hand is a unit done; the header asks for the same."""
    study.config["hpc"] |= {"environment": {"PROBE_VARIABLE": "by hand"}, "cpus": 2}
    study.snakemake("job_scripts")
    scripts = sorted((study.results / "scripts").glob("*.sh"))
    assert [p.name for p in scripts] == ["sub-01.sh", "sub-02.sh", "sub-03.sh"]
    for script in scripts:
        run("bash", "-n", script, cwd="/")
        run("shellcheck", script, cwd="/")
    study.cluster.ask("sbatch", "--wait", str(scripts[1]), seconds=120)
    assert study.runs() == ["02"]
    record = study.record("sub-02")
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
