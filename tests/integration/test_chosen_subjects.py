"""A study of some subjects, and of others later."""

import pytest
from bidsloom.config import read_study
from bidsloom.merge.merge import merge_branches
from helpers.studies import Workspace, make_input, make_workspace, run

GROUPS = {"01": "patient", "02": "patient", "03": "control", "04": "patient", "05": "patient"}


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """Five subjects in two groups, one of them without an image."""
    root = make_input(tmp_path / "bids", {subject: [None] for subject in GROUPS})
    rows = [f"sub-{subject}\t{group}\n" for subject, group in GROUPS.items()]
    (root / "participants.tsv").write_text("participant_id\tgroup\n" + "".join(rows))
    (root / "sub-01" / "anat" / "sub-01_T1w.nii.gz").unlink()
    run("datalad", "-l", "error", "save", "-m", "groups", cwd=root)
    return make_workspace(tmp_path / "study", root)


def excluded(workspace) -> dict[str, str]:
    """Unit -> reason, as the table tells."""
    lines = (workspace.results / "excluded.tsv").read_text().splitlines()[1:]
    return dict(line.split("\t") for line in lines)


def test_selection_may_change(workspace):
    """Only who is asked for is processed; others later cost nobody a second run or a result."""
    wanted = {"where": "group == 'patient'", "require": [{"suffix": "T1w"}], "limit": 1}
    # Who is left out is not withdrawn.
    wanted["withdrawn"] = "remove"
    workspace.config["subjects"] = wanted
    told = workspace.snakemake("-n").stderr
    assert "bidsloom: 1 unit; 4 left out:" in told
    assert "  2: beyond subjects.limit 1 (sub-04, sub-05)" in told
    workspace.snakemake()
    assert workspace.runs() == ["02"]
    reasons = {
        "sub-01": "no file with suffix=T1w",
        "sub-03": "where: group == 'patient' is not true",
        "sub-04": "beyond subjects.limit 1",
        "sub-05": "beyond subjects.limit 1",
    }
    assert reasons == excluded(workspace)
    report = (workspace.results / "report.tsv").read_text()
    assert all(reason in report for reason in reasons.values())
    before = workspace.tree()

    (workspace.root / "later.txt").write_text("sub-02  # moved away\n")
    workspace.config["subjects"] = {**wanted, "exclude": "later.txt", "limit": 2}
    workspace.snakemake()
    assert workspace.runs() == ["02", "04", "05"]
    assert excluded(workspace)["sub-02"] == "listed in subjects.exclude"
    assert set(before.splitlines()) <= set(workspace.tree().splitlines())

    (workspace.root / "later.txt").write_text("sub-05\n")
    before = workspace.tree()
    workspace.snakemake("--cores", "1", "merge")
    assert before == workspace.tree()
    workspace.snakemake()
    assert workspace.runs() == ["02", "04", "05"]
    assert excluded(workspace)["sub-05"] == "listed in subjects.exclude"
    assert before == workspace.tree()
    # A run that ends before it has listed the units anew merges all the same.
    (workspace.results / "subjects.tsv").unlink()
    merge_branches(read_study(workspace.config, base=workspace.root))
    assert before == workspace.tree()
