"""What a job sees besides its unit's own files."""

import json

import pytest
from helpers.studies import git, make_workspace, run, write_bids

NOISE = "sub-emptyroom/meg/sub-emptyroom_task-noise"
OWN = ["README", "dataset_description.json", "participants.tsv", "task-rest_bold.json"]
EVENTS = "sub-01/func/sub-01_task-x_events.tsv"


def write(root, path, content):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


def make_dataset(root, *options):
    """One subject with stimuli and an empty room, one with neither."""
    run("datalad", "-l", "error", "create", *options, root, cwd=root.parent)
    write_bids(root, {"01": [None], "02": [None]})
    (root / "stimuli").mkdir()
    (root / "stimuli" / "a.wav").write_bytes(b"\0sound" * 50)
    write(root, "code/run.py", "print()")
    write(root, "private/notes.txt", "nobody's business")
    write(root, EVENTS, "onset\tstim_file\n1\ta.wav\n")
    write(root, f"{NOISE}_meg.fif", "\0noise" * 50)
    write(root, f"{NOISE}_meg.json", "{}")
    sidecar = json.dumps({"AssociatedEmptyRoom": f"bids::{NOISE}_meg.fif"})
    write(root, "sub-01/meg/sub-01_task-x_meg.json", sidecar)
    run("datalad", "-l", "error", "save", "-m", "data", cwd=root)
    return root


def seen(workspace, unit):
    """What the app saw of the input, without the unit's own folder."""
    report = git("show", f"main:probe/{unit}/{unit}_desc-probe.json", cwd=workspace.store)
    return [path for path in json.loads(report)["seen"] if not path.startswith(unit)]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("-c", "text2git"), id="texts in git", marks=pytest.mark.more),
        pytest.param((), id="all annexed"),
    ],
)
def test_a_job_sees_what_its_files_name(tmp_path, options):
    """Annexed texts name their files to the job alone; the record has all of it as inputs."""
    root = make_dataset(tmp_path / "bids", *options)
    workspace = make_workspace(tmp_path / "study", root)
    workspace.config["datalad"]["shared_paths"] = ["code"]
    (workspace.switches / "everything").touch()
    workspace.snakemake()
    assert ["01", "02"] == workspace.runs()
    assert sorted([*OWN, "code/run.py"]) == seen(workspace, "sub-02")
    room = [f"{NOISE}_meg.fif", f"{NOISE}_meg.json"]
    assert sorted([*OWN, "code/run.py", "stimuli/a.wav", *room]) == seen(workspace, "sub-01")
    excluded = (workspace.results / "excluded.tsv").read_text()
    assert "sub-emptyroom\trecordings of the empty room" in excluded

    # A rerun in a fresh clone has the same inputs.
    message = git("log", "-1", "--format=%B", "--grep=Unit: sub-01", "main", cwd=workspace.store)
    record = json.loads(
        message.partition("=== Do not change lines below ===")[2].partition("^^^")[0]
    )
    named = {"sourcedata/raw/stimuli", f"sourcedata/raw/{NOISE}_meg.fif", "sourcedata/raw/code"}
    assert named < set(record["inputs"])
    if not options:
        return

    # A change in a shared file makes those due that saw it.
    for path, due in (("stimuli/a.wav", {"01"}), ("code/run.py", {"01", "02"})):
        (root / path).unlink()
        write(root, path, "another")
        run("datalad", "-l", "error", "save", "-m", path, cwd=root)
        workspace.config["datalad"]["input_version"] = git("rev-parse", "HEAD", cwd=root)
        said = workspace.snakemake("-n").stdout
        assert due == {s for s in ("01", "02") if f"Process sub-{s}: input changed" in said}
