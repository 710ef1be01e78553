"""Units from the committed tree."""

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config.study import Selection
from bidsloom.units.listing import list_units
from helpers.studies import git, write_bids, write_unit


def commit_all(root) -> str:
    git("add", "-A", cwd=root)
    git("commit", "-q", "-m", "x", cwd=root)
    return git("rev-parse", "HEAD", cwd=root)


@pytest.fixture
def dataset(tmp_path):
    """A dataset in plain git: two subjects with sessions, one without."""
    git("init", "-q", cwd=tmp_path)
    write_bids(tmp_path, {"02": [None], "01": ["pre", "post"], "10": ["pre"]})
    return tmp_path


def units_of(root, commit=None, *, by_session=False, **selection):
    return list_units(
        root,
        commit or commit_all(root),
        by_session=by_session,
        selection=Selection(**selection),
        source="ds",
    )


def test_subjects_are_sorted_and_deterministic(dataset):
    """Two looks at one commit give the same list."""
    commit = commit_all(dataset)
    first = units_of(dataset, commit)
    assert [u.name for u in first.units] == ["sub-01", "sub-02", "sub-10"]
    assert first == units_of(dataset, commit)
    assert (first.units[0].files, first.units[1].files) == (4, 2)
    assert git("rev-parse", "HEAD:sub-02", cwd=dataset) == first.units[1].tree


def test_sessions_beside_subjects_without(dataset):
    """By session, a subject without sessions is a unit itself."""
    names = [u.name for u in units_of(dataset, by_session=True).units]
    assert names == ["sub-01_ses-post", "sub-01_ses-pre", "sub-02", "sub-10_ses-pre"]


def test_uncommitted_files_do_not_count(dataset):
    """Only the pinned commit is read."""
    commit = commit_all(dataset)
    write_unit(dataset / "sub-99", "sub-99")
    assert "sub-99" not in [u.name for u in units_of(dataset, commit).units]


def test_absent_content_counts(dataset):
    """A link to content that is not here is a file, of the size its key tells."""
    key = "MD5E-s123456--0123456789abcdef0123456789abcdef.nii.gz"
    folder = dataset / "sub-20" / "anat"
    folder.mkdir(parents=True)
    (folder / "sub-20_T1w.nii.gz").symlink_to(f"../../.git/annex/objects/aa/bb/{key}/{key}")
    unit = {u.name: u for u in units_of(dataset).units}["sub-20"]
    assert (unit.files, unit.bytes) == (1, 123456)


def test_inherited_sidecar_changes_every_unit(dataset):
    """A root sidecar is part of what a unit depends on; the list of participants is not."""
    before = units_of(dataset).units[0]
    (dataset / "participants.tsv").write_text("participant_id\tage\nsub-01\t3\n")
    assert before == units_of(dataset).units[0]
    (dataset / "task-rest_bold.json").write_text('{"RepetitionTime": 3.0}')
    after = units_of(dataset).units[0]
    assert before.tree == after.tree
    assert before.inherited != after.inherited


def test_subject_files_are_inherited_by_sessions(dataset):
    """A sidecar beside the sessions belongs to each of them."""
    before = {u.name: u for u in units_of(dataset, by_session=True).units}
    (dataset / "sub-01" / "sub-01_T1w.json").write_text("{}")
    after = {u.name: u for u in units_of(dataset, by_session=True).units}
    assert before["sub-01_ses-pre"].inherited != after["sub-01_ses-pre"].inherited
    assert before["sub-10_ses-pre"] == after["sub-10_ses-pre"]


def test_excluded_units_have_reasons(dataset):
    """Nobody is left out in silence."""
    (dataset / "sub-30").mkdir()
    (dataset / "sub-30" / "notes.txt").write_text("lost")
    listed = units_of(dataset, include=["01", "02", "30"], exclude=["02"])
    assert [u.name for u in listed.units] == ["sub-01"]
    reasons = dict(listed.excluded)
    assert reasons["sub-02"] == "listed in subjects.exclude"
    assert reasons["sub-10"] == "not listed in subjects.include"
    assert reasons["sub-30"] == "no file in its folder has a BIDS name of this subject"


def test_files_beside_sessions_are_told(dataset):
    """Images outside a subject's session folders are no session, and are said to be left out."""
    write_unit(dataset / "sub-01", "sub-01")
    listed = units_of(dataset, by_session=True)
    assert "sub-01_ses-pre" in [u.name for u in listed.units]
    assert "outside its session folders" in dict(listed.excluded)["sub-01"]


def test_bad_label_can_be_excluded(dataset):
    """A folder that cannot be a subject stops the study until it is excluded by name."""
    write_unit(dataset / "sub-0 1;x", "sub-x")
    commit = commit_all(dataset)
    with pytest.raises(WorkflowFailure, match="sub-0 1;x"):
        units_of(dataset, commit)
    assert len(units_of(dataset, commit, exclude=["0 1;x"]).units) == 3
