"""A whole study, as a user runs it."""

import json
import shutil

import pytest
from helpers.studies import JOB_SCRIPT, Workspace, git, make_input, make_workspace, run


@pytest.fixture(scope="module")
def finished(tmp_path_factory, input_dataset) -> Workspace:
    """A study of three subjects that went well; tests only look at it."""
    workspace = make_workspace(tmp_path_factory.mktemp("finished") / "my study", input_dataset)
    first = workspace.snakemake("-n")
    assert not workspace.store.exists(), "a dry run wrote to the store"
    assert not workspace.runs()
    workspace.dry_run = first.stdout + first.stderr
    workspace.listed_at = (workspace.results / "units.json").stat().st_mtime_ns
    done = workspace.snakemake()
    workspace.said = done.stdout + done.stderr
    return workspace


def test_dry_run_lists_every_unit(finished):
    """A dry run of a new study names each unit's job and runs nothing."""
    for unit in ("sub-01", "sub-02", "sub-03"):
        assert f"Process {unit}" in finished.dry_run


def test_units_are_listed_once(finished):
    """Neither the run nor a second dry run indexes the dataset again."""
    finished.snakemake("-n")
    assert finished.listed_at == (finished.results / "units.json").stat().st_mtime_ns


def test_every_subject_is_merged_and_branches_are_gone(finished):
    """Main holds every subject's files; no job branch is left."""
    assert finished.branches() == ["base", "git-annex", "main"]
    files = git("ls-tree", "-r", "--name-only", "main", "probe/", cwd=finished.store).splitlines()
    for unit in ("sub-01", "sub-02", "sub-03"):
        assert f"probe/{unit}/{unit}_desc-probe.dat" in files
        assert f"probe/{unit}.html" in files
    assert "3 merged" in finished.said


def test_each_subject_has_its_own_commit(finished):
    """One run record a subject, made by one commit that is in main's history."""
    for unit in ("sub-01", "sub-02", "sub-03"):
        found = git(
            "log", "main", "--format=%s", f"--grep=Bidsloom-Unit: {unit}", cwd=finished.store
        )
        assert f"[DATALAD RUNCMD] probe {unit}" == found
    record = finished.record("sub-01")
    assert record["branch"] == "job/probe/sub-01"
    assert git("rev-parse", "main:sourcedata/raw", cwd=finished.store) == record["input_commit"]
    assert record["seconds"]["run"] > 0


def test_a_job_sees_only_its_subject(finished):
    """The work tree of a job holds no other subject."""
    log = (finished.results / "logs" / "sub-02.log").read_text()
    assert "sub-02 sees ['sub-02']" in log


def test_location_log_names_the_store_alone(finished):
    """Clones of jobs, and the study's own, leave no trace in the location log."""
    clone = finished.clone("where")
    info = git("annex", "whereis", "--json", "probe/sub-01/sub-01_desc-probe.dat", cwd=clone)
    places = [place["description"] for place in json.loads(info)["whereis"]]
    assert places == ["output store of probe [origin]"]
    assert len(git("show", "git-annex:uuid.log", cwd=finished.store).splitlines()) == 1


def test_fresh_clone_gets_the_content(finished):
    """What the store announces can be fetched, and passes git-annex' own check."""
    clone = finished.clone("fetch")
    run("datalad", "get", "probe", cwd=clone)
    data = (clone / "probe" / "sub-03" / "sub-03_desc-probe.dat").read_bytes()
    assert data.startswith(b'{"EchoTime"')
    assert git("annex", "fsck", "--quiet", cwd=clone) == ""


def test_shared_file_is_the_first_subjects(finished):
    """A file that every subject writes differently holds the first one's words."""
    text = git("show", "main:probe/logs/CITATION.md", cwd=finished.store)
    assert text == "first of all sub-01"


def test_scratch_is_empty(finished):
    """No clone outlives its job."""
    assert list(finished.scratch.iterdir()) == []


def test_second_run_has_nothing_to_do(finished):
    """Typing the command again starts no job."""
    done = finished.snakemake()
    assert "Nothing to be done" in done.stdout + done.stderr
    assert finished.runs() == ["01", "02", "03"]


def test_targets_merge_and_report_can_be_asked_for(finished):
    """`merge` with nothing to merge makes no commit; `report` writes the tables."""
    before = git("rev-parse", "main", cwd=finished.store)
    finished.snakemake("--cores", "1", "merge", "report")
    assert before == git("rev-parse", "main", cwd=finished.store)
    rows = (finished.results / "report.tsv").read_text().splitlines()
    assert sum("\tmerged\t" in row for row in rows) == 3
    assert "sub-02" in (finished.results / "report.html").read_text()


def test_rerun_reproduces_every_key(finished):
    """`datalad rerun` in a fresh clone fetches inputs and image, and changes nothing."""
    clone = finished.clone("again")
    head = git("rev-parse", "HEAD", cwd=clone)
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-02", cwd=clone)
    before = len(finished.runs())
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    assert len(finished.runs()) == before + 1, "the app did not run"
    # The file that all share holds the first subject's words in main.
    assert git("diff", "--name-only", head, "HEAD", cwd=clone) == "probe/logs/CITATION.md"
    assert git("status", "--porcelain", cwd=clone) == ""
    assert (clone / "probe" / "sub-02" / "sub-02_desc-probe.dat").exists()
    assert not (clone / "probe" / "sub-01" / "sub-01_desc-probe.dat").exists()
    for path in finished.switches.glob("ran-02-*"):
        path.unlink()
    (finished.switches / "ran-02-0").touch()


def test_lost_results_folder_costs_nothing(workspace, undisturbed_tree):
    """Without results/ and Snakemake's notes, everything is found in the store."""
    workspace.snakemake()
    main = git("rev-parse", "main", cwd=workspace.store)
    run("chmod", "-R", "u+w", workspace.root / "results", cwd=workspace.root)
    shutil.rmtree(workspace.root / "results")
    shutil.rmtree(workspace.root / ".snakemake")
    listed = workspace.snakemake("-n")
    assert "Process sub-" not in listed.stdout + listed.stderr
    workspace.snakemake()
    assert workspace.runs() == ["01", "02", "03"]
    assert main == git("rev-parse", "main", cwd=workspace.store)
    # What comes later still works from there.
    workspace.config["subjects"] = {"exclude": ["03"]}
    workspace.config["container"]["bids_args"]["note"] = "changed"
    workspace.snakemake()
    assert workspace.runs() == ["01", "01", "02", "02", "03"]


def test_by_hand(workspace):
    """The job script alone does a unit; a later run sees it as done."""
    workspace.snakemake("--cores", "1", "prepare_study", "list_subjects")
    hand = ["python", JOB_SCRIPT, "--config", workspace.write_config(), "--subject", "sub-02"]
    printed = run(*hand, "--dry-run", cwd=workspace.root).stdout
    assert not workspace.runs()
    lines = [line for line in printed.splitlines() if not line.startswith("#")]
    for command in ("git clone", "lay-out", "containers-run", "git annex copy", "publish"):
        assert any(command in line for line in lines), command
    run(*hand, cwd=workspace.root)
    assert workspace.runs() == ["02"]
    workspace.snakemake()
    assert workspace.runs() == ["01", "02", "03"]


def test_printed_commands_do_the_job(workspace):
    """What `--dry-run` prints can be pasted: the branch it makes is merged like any other."""
    workspace.snakemake("--cores", "1", "prepare_study", "list_subjects")
    hand = ["python", JOB_SCRIPT, "--config", workspace.write_config(), "--subject", "01"]
    printed = run(*hand, "--dry-run", cwd=workspace.root).stdout
    run("bash", "-euc", printed, cwd=workspace.root)
    assert "job/probe/sub-01" in workspace.branches()
    assert list(workspace.scratch.iterdir()) == []
    workspace.snakemake()
    assert workspace.runs() == ["01", "02", "03"]
    assert workspace.branches() == ["base", "git-annex", "main"]


def test_sessions(tmp_path):
    """By session: each is a unit, inherits its subject's files, and none collides."""
    root = tmp_path / "bids"
    make_input(root, {"01": ["pre", "post"], "02": [None], "03": ["pre"]})
    (root / "sub-01" / "sub-01_T1w.json").write_text('{"FlipAngle": 9}')
    run("datalad", "-l", "error", "save", cwd=root)
    workspace = make_workspace(tmp_path / "study", root)
    workspace.config["subjects"] = {"processing_level": "session"}
    # As fMRIPrep does, the app names a file by the subject alone.
    (workspace.switches / "by-subject").touch()
    workspace.snakemake()
    files = git("ls-tree", "-r", "--name-only", "main", "probe/", cwd=workspace.store).splitlines()
    for unit in (
        "ses-pre/sub-01/ses-pre/sub-01_ses-pre",
        "ses-post/sub-01/ses-post/sub-01_ses-post",
        "sub-02/sub-02",
    ):
        assert f"probe/{unit}_desc-probe.json" in files
    for session in ("pre", "post"):
        text = git("show", f"main:probe/ses-{session}/sub-01.html", cwd=workspace.store)
        assert f"sub-01_ses-{session}" in text
    message = git(
        "log",
        "main",
        "-1",
        "--grep=Bidsloom-Unit: sub-01_ses-pre",
        "--format=%B",
        cwd=workspace.store,
    )
    record = json.loads(message[message.index("\n{") : message.index("\n^^^")])
    assert "sourcedata/raw/sub-01/sub-01_T1w.json" in record["inputs"]
    assert {"probe/ses-pre/sub-01", "probe/ses-pre/sub-01.html"} <= set(record["outputs"])


def test_environment_reaches_the_app(workspace):
    """`hpc.environment` is seen by the app, and by the fingerprint."""
    workspace.config["hpc"] = {"environment": {"PROBE_VARIABLE": "blue sky"}}
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake()
    text = git("show", "main:probe/sub-01/sub-01_desc-probe.json", cwd=workspace.store)
    assert json.loads(text)["variable"] == "blue sky"


def test_unaffected_edits_make_nothing_due(workspace):
    """Other resources, and a comment, run nothing again; another argument runs all again."""
    workspace.snakemake()
    workspace.config["hpc"] = {"mem": "1G", "time": "01:00:00"}
    done = workspace.snakemake()
    assert "Nothing to be done" in done.stdout + done.stderr
    workspace.config["container"]["bids_args"]["note"] = "another"
    workspace.snakemake()
    assert workspace.runs() == ["01", "01", "02", "02", "03", "03"]
    text = git("show", "main:probe/sub-02/sub-02_desc-probe.json", cwd=workspace.store)
    assert json.loads(text)["note"] == "another"
