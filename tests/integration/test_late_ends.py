"""Jobs and runs that end at a bad moment: late, asleep, or on a full disk."""

import json
import os
import signal
import subprocess

import pytest
from bidsloom.config import read_config, read_study
from bidsloom.job.scratch import folder_prefix
from helpers.studies import JOB_SCRIPT, run
from helpers.waiting import exit_code, wait_for

PUBLISHED = ["base", "git-annex", "main"]


def leave_folder(workspace, unit, fingerprint, *, name="dead"):
    """What a job leaves that dies after its result was complete."""
    study = read_study(read_config(workspace.write_config()), base=workspace.root)
    folder = workspace.scratch / f"{folder_prefix(study)}{unit}-{name}"
    folder.mkdir(mode=0o700)
    (folder / "lock").touch()
    state = {"fingerprint": fingerprint, "base": "0" * 40}
    (folder / "computed.json").write_text(json.dumps(state))
    return folder


@pytest.mark.more
def test_scratch_of_a_merged_unit_is_swept_by_the_next_job(workspace):
    """It died after its branch was announced, so the unit has no next attempt."""
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake("--cores", "1")
    workspace.config["subjects"] = {}
    fingerprint = workspace.record("sub-01")["fingerprint"]
    merged = leave_folder(workspace, "sub-01", fingerprint)
    unpushed = leave_folder(workspace, "sub-01", "another fingerprint", name="unpushed")
    run(
        *("python", JOB_SCRIPT, "--config", workspace.write_config(), "--subject", "02"),
        cwd=workspace.root,
        check=False,
    )
    # By hand there is no table of the new units yet; the job of Snakemake has it.
    workspace.snakemake("--cores", "1", "results/probe/jobs/sub-02.json")
    assert not merged.exists()
    assert unpushed.exists()


@pytest.mark.more
def test_job_that_slept_while_its_unit_was_merged_announces_nothing(workspace):
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake("--cores", "1", "prepare_study", "list_subjects")
    (workspace.switches / "wait").touch()
    job = subprocess.Popen(
        ["python", str(JOB_SCRIPT), "--config", str(workspace.write_config()), "--subject", "01"],
        cwd=workspace.root,
        start_new_session=True,
    )
    wait_for(lambda: workspace.runs() == ["01"])
    os.killpg(job.pid, signal.SIGSTOP)
    (workspace.switches / "wait").unlink()
    workspace.snakemake("--cores", "1")
    assert PUBLISHED == workspace.branches()
    os.killpg(job.pid, signal.SIGCONT)
    assert 0 == exit_code(job)
    assert PUBLISHED == workspace.branches()
    assert [] == list(workspace.scratch.iterdir())


def test_main_process_killed_while_the_study_is_prepared(workspace, undisturbed_tree):
    """The second start does everything, whatever the orphan of the first one did."""
    process = workspace.start()
    wait_for((workspace.results / "logs" / "prepare_study.log").exists)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for((workspace.results / "prepared.json").exists, what="the end of the orphan")
    workspace.snakemake("--unlock")
    workspace.snakemake()
    assert undisturbed_tree == workspace.tree()
    assert PUBLISHED == workspace.branches()


def mount(folder, size):
    folder.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder, cwd="/")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_less_scratch_than_git_annex_keeps_in_reserve(workspace):
    """That is no fault of the input."""
    workspace.config["subjects"] = {"include": ["01"]}
    disk = workspace.root / "small disk"
    mount(disk, "24m")
    try:
        workspace.config["common"]["work_dir"] = str(disk)
        done = workspace.snakemake(check=False)
    finally:
        run("umount", "-l", disk, cwd="/")
    assert 0 != done.returncode
    assert "no_space" == workspace.attempts("sub-01")[-1]["failure_class"]
    assert str(disk) in workspace.attempts("sub-01")[-1]["message"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_results_folder_that_is_full_at_the_merge(workspace, undisturbed_tree):
    """The folder is named; with space again, the merge goes on."""
    results = workspace.root / "results"
    mount(results, "48m")
    try:
        units = [f"results/probe/jobs/sub-0{n}.json" for n in (1, 2, 3)]
        workspace.snakemake("--cores", "2", *units)
        ballast = results / "ballast"
        with ballast.open("wb", buffering=0) as f, pytest.raises(OSError, match="No space"):
            while True:
                f.write(bytes(4096))
        done = workspace.snakemake("--cores", "1", "merge", check=False)
        said = done.stdout + done.stderr
        assert 0 != done.returncode
        assert f"no space is left in {results}" in said, said
        assert "Traceback" not in said and "exit code" not in said
        ballast.unlink()
        workspace.snakemake()
        assert undisturbed_tree == workspace.tree()
    finally:
        run("umount", "-l", results, cwd="/")
