"""Studies over time: further inputs, inputs that move on, subjects that are withdrawn."""

import json

from studies import git, run


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
