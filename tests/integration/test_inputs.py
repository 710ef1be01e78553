"""Studies over time: further inputs, inputs that move on, subjects that are withdrawn."""

import json

from helpers.studies import git, make_input, make_workspace, run, write_unit


def write_derivative(root, subjects):
    """A dataset like fMRIPrep's: a folder and a page a subject, FreeSurfer's average beside them."""
    run("datalad", "-l", "error", "create", "-c", "text2git", root, cwd=root.parent)
    for name in (*(f"sub-{subject}" for subject in subjects), "fsaverage"):
        (root / name / "anat").mkdir(parents=True)
        (root / name / "anat" / "brain.nii.gz").write_bytes(f"brain of {name}\0".encode() * 50)
    for subject in subjects:
        (root / f"sub-{subject}.html").write_text(subject)
    (root / "dataset_description.json").write_text("{}")
    run("datalad", "-l", "error", "save", cwd=root)
    return root


def report_of(workspace, unit):
    """What the app wrote down of a unit."""
    path = f"main:probe/{unit}/{unit}_desc-probe.json"
    return json.loads(git("show", path, cwd=workspace.store))


def dry_run(workspace) -> str:
    """All that a dry run says."""
    done = workspace.snakemake("-n")
    return done.stdout + done.stderr


def test_further_inputs(workspace, tmp_path):
    """The app sees its subject in each; who is absent from a required one is left out, and told."""
    prep = write_derivative(tmp_path / "prep", ["01", "02"])
    optional = write_derivative(tmp_path / "optional", ["01"])
    workspace.config["datalad"]["inputs"] = [
        {
            "repo": str(prep),
            "path": "sourcedata/prep",
            "flag": "--derivatives",
            "shared_paths": ["fsaverage"],
        },
        {
            "repo": str(optional),
            "path": "sourcedata/optional",
            "flag": "--derivatives {path}",
            "required": False,
        },
    ]
    workspace.snakemake()
    assert workspace.runs() == ["01", "02"]
    excluded = (workspace.results / "excluded.tsv").read_text()
    assert "sub-03\tabsent from the further input sourcedata/prep\n" in excluded
    own = ["dataset_description.json", "fsaverage/anat/brain.nii.gz", "sub-02.html"]
    seen = report_of(workspace, "sub-02")
    assert sorted([*own, "sub-02/anat/brain.nii.gz"]) == sorted(seen["sourcedata/prep"])
    assert "sourcedata/optional" not in seen
    assert "sub-01/anat/brain.nii.gz" in report_of(workspace, "sub-01")["sourcedata/optional"]

    # A rerun in a fresh clone fetches all of it.
    clone = workspace.clone()
    head = git("rev-parse", "HEAD", cwd=clone)
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-01", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    assert ["01", "01", "02"] == workspace.runs()
    assert "" == git("diff", "--name-only", head, "HEAD", cwd=clone)

    # It moves on: only who changed in it is due, and one who joins it.
    (prep / "sub-02" / "anat" / "brain.nii.gz").unlink()
    (prep / "sub-02" / "anat" / "brain.nii.gz").write_bytes(b"another brain")
    (prep / "sub-03").mkdir()
    (prep / "sub-03" / "brain.nii.gz").write_bytes(b"a third\0")
    run("datalad", "-l", "error", "save", cwd=prep)
    workspace.snakemake()
    assert ["01", "01", "02"] == workspace.runs(), "the tip was taken though nobody asked"
    workspace.config["datalad"]["inputs"][0]["version"] = git("rev-parse", "HEAD", cwd=prep)
    workspace.snakemake()
    assert ["01", "01", "02", "02", "03"] == workspace.runs()
    assert 13 == report_of(workspace, "sub-02")["sourcedata/prep"]["sub-02/anat/brain.nii.gz"]

    # An input that is named no more is registered no more.
    del workspace.config["datalad"]["inputs"][1]
    workspace.snakemake()
    assert "sourcedata/optional" not in report_of(workspace, "sub-01")
    listed = git("ls-tree", "-r", "--name-only", "main", cwd=workspace.store)
    assert "sourcedata/prep" in listed and "sourcedata/optional" not in listed
    assert "optional" not in git("show", "main:.gitmodules", cwd=workspace.store)


def test_input_moves_on(tmp_path):
    """Only who changed, and who joined, is computed; who was withdrawn is named, then removed."""
    root = make_input(tmp_path / "bids", {"01": [None], "02": [None], "03": [None]})
    workspace = make_workspace(tmp_path / "study", root)
    workspace.snakemake()
    first = git("rev-parse", "HEAD", cwd=root)
    image = root / "sub-02" / "anat" / "sub-02_T1w.nii.gz"
    image.unlink()
    image.write_bytes(b"other voxels")
    run("git", "rm", "-rq", "sub-01", cwd=root)
    write_unit(root / "sub-04", "sub-04")
    run("datalad", "-l", "error", "save", cwd=root)
    second = git("rev-parse", "HEAD", cwd=root)

    workspace.config["datalad"]["input_version"] = second
    said = dry_run(workspace)
    assert "Process sub-02: input changed\n" in said
    assert "Process sub-04: new\n" in said
    assert "Process sub-03" not in said
    assert "withdrawn from the input, kept in main: sub-01\n" in said
    workspace.snakemake()
    assert ["01", "02", "02", "03", "04"] == workspace.runs()
    assert "probe/sub-01.html" in workspace.tree()
    assert second == git("rev-parse", "main:sourcedata/raw", cwd=workspace.store)
    assert "sub-01\twithdrawn" in (workspace.results / "report.tsv").read_text()
    # Each result names the input it was made from.
    for unit, commit in (("sub-03", first), ("sub-02", second)):
        tip = git("log", "-1", "--format=%H", f"--grep=-Unit: {unit}", "main", cwd=workspace.store)
        assert commit == git("rev-parse", f"{tip}:sourcedata/raw", cwd=workspace.store)

    workspace.config["subjects"] = {"withdrawn": "remove"}
    said = dry_run(workspace)
    assert "withdrawn from the input, removed from main: sub-01\n" in said
    workspace.snakemake()
    assert "sub-01" not in workspace.tree()
    # What all wrote is now the first one's of those who are left.
    assert "sub-02" in git("show", "main:probe/logs/CITATION.md", cwd=workspace.store)
    removal = git("log", "--format=%B", "--grep=Bidsloom-Removed", "main", cwd=workspace.store)
    assert "Remove 1 unit(s) withdrawn" in removal and "Bidsloom-Removed: sub-01" in removal
    assert "sub-01" not in (workspace.results / "report.tsv").read_text()
    assert "Nothing to be done" in workspace.snakemake().stderr

    # A subject that comes back is computed again.
    workspace.config["datalad"]["input_version"] = first
    workspace.snakemake()
    assert ["01", "01", "02", "02", "02", "03", "04"] == workspace.runs()
    assert "probe/sub-01.html" in workspace.tree()
    assert "probe/sub-04.html" not in workspace.tree()


def test_one_dataset_for_each_subject(workspace, tmp_path):
    """Each of its own shape; a subject without one is left out, by name."""
    (tmp_path / "prep").mkdir()
    complete = write_derivative(tmp_path / "prep" / "sub-01", ["01"])
    folder_itself = tmp_path / "prep" / "sub-02"
    run("datalad", "-l", "error", "create", folder_itself, cwd=tmp_path)
    (folder_itself / "anat").mkdir()
    (folder_itself / "anat" / "brain.nii.gz").write_bytes(b"brain\0" * 50)
    run("datalad", "-l", "error", "save", cwd=folder_itself)
    workspace.config["datalad"]["inputs"] = [
        {
            "repo": str(tmp_path / "prep" / "sub-{subject}"),
            "path": "sourcedata/prep",
            "flag": "--derivatives",
        }
    ]
    workspace.snakemake()
    assert ["01", "02"] == workspace.runs()
    excluded = (workspace.results / "excluded.tsv").read_text()
    assert "sub-03\tabsent from the further input sourcedata/prep\n" in excluded
    assert "sub-01/anat/brain.nii.gz" in report_of(workspace, "sub-01")["sourcedata/prep/sub-01"]
    seen = report_of(workspace, "sub-02")["sourcedata/prep"]
    assert ["sub-02/anat/brain.nii.gz"] == [path for path in seen if "brain" in path]
    listed = git("ls-tree", "main", "sourcedata/prep/", cwd=workspace.store).splitlines()
    heads = [git("rev-parse", "HEAD", cwd=d) for d in (complete, folder_itself)]
    assert heads == [line.split()[2] for line in listed]

    # Another one joins, and only its subject is due.
    write_derivative(tmp_path / "prep" / "sub-03", ["03"])
    said = dry_run(workspace)
    assert "Process sub-03: new\n" in said and "Process sub-01" not in said
