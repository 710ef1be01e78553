"""Subjects and sessions that are datasets: what the list of units knows of them."""

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config.study import Requirement
from bidsloom.datasets.subdataset_trees import TreeEntry
from bidsloom.datasets.subdatasets import Registry, Subdataset
from bidsloom.units.listing import list_input_units
from bidsloom.units.selection import NamedSelection
from bidsloom.units.subject_datasets import (
    InputCommit,
    Part,
    find_parts,
    list_unit_files,
    parts_in,
    refuse_foreign,
)
from bidsloom.units.unit import Unit
from helpers.studies import git, write_bids, write_unit

T1W = (Requirement((("suffix", ("T1w",)),)),)


def commit_all(root) -> str:
    git("add", "-A", ":!sub-*/.git", cwd=root)
    git("commit", "-q", "-m", "x", cwd=root)
    return git("rev-parse", "HEAD", cwd=root)


def make_part(root, *prefixes) -> str:
    """A dataset of one subject or session, with an image for each prefix; its commit."""
    git("init", "-q", root, cwd=root.parent)
    for prefix in prefixes:
        session = prefix.partition("_")[2]
        write_unit(root / session if session else root, prefix)
    return commit_all(root)


def register(root, path, commit, *, url="") -> None:
    """Stage a subdataset; without a URL, `.gitmodules` does not name it."""
    if url:
        for name, value in (("path", path), ("url", url)):
            git("config", "--file", ".gitmodules", f"submodule.{path}.{name}", value, cwd=root)
        git("add", ".gitmodules", cwd=root)
    git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}", cwd=root)


@pytest.fixture
def root(tmp_path):
    """A folder (01), a dataset (02), one with sessions (03), one that is not reachable (04)."""
    root, parts = tmp_path / "bids", tmp_path / "parts"
    root.mkdir()
    parts.mkdir()
    git("init", "-q", cwd=root)
    write_bids(root, {"01": [None]})
    git("add", "-A", cwd=root)
    register(root, "sub-02", make_part(parts / "two", "sub-02"), url="../parts/two")
    three = make_part(parts / "three", "sub-03_ses-a", "sub-03_ses-b")
    register(root, "sub-03", three, url="../parts/three")
    register(root, "sub-04", "4" * 40, url="../parts/four")
    git("commit", "-q", "-m", "x", cwd=root)
    return root


def given(root, memory=None) -> InputCommit:
    return InputCommit(root, git("rev-parse", "HEAD", cwd=root), str(root), memory)


def units_of(root, *, memory=None, by_session=False, enough=None, **selection):
    return list_input_units(
        given(root, memory),
        by_session=by_session,
        selection=NamedSelection(**selection),
        enough=enough,
    )


def test_names_and_commits_are_enough(root, tmp_path):
    """Nothing is looked up where no session and no file decides."""
    (tmp_path / "parts").rename(tmp_path / "away")
    listed = units_of(root)
    trees = {unit.name: unit.tree for unit in listed.units}
    names = ("sub-01", "sub-02", "sub-03", "sub-04")
    assert {n: git("rev-parse", f"HEAD:{n}", cwd=root) for n in names} == trees
    assert [2, 0, 0, 0] == [unit.files for unit in listed.units]
    assert () == listed.excluded == listed.unreadable


def test_sessions_are_found_inside(root):
    """A session's folder in a dataset has its own id; whose dataset is unreachable is left out."""
    listed = units_of(root, by_session=True)
    assert ["sub-01", "sub-02", "sub-03_ses-a", "sub-03_ses-b"] == [u.name for u in listed.units]
    three = root.parent / "parts" / "three"
    assert git("rev-parse", "HEAD:ses-a", cwd=three) == listed.units[2].tree
    assert git("rev-parse", "HEAD:sub-02", cwd=root) == listed.units[1].tree
    reason = dict(listed.excluded)["sub-04"]
    assert f"{root.parent}/parts/four does not exist" in reason
    assert "correct its URL in .gitmodules" in reason
    assert ("sub-04",) == listed.unreadable


def test_a_file_beside_sessions_is_inherited(root):
    """As in a folder; a dataset's own settings are no files of a subject."""
    before = units_of(root, by_session=True).units[2]
    three = root.parent / "parts" / "three"
    (three / ".gitattributes").write_text("* annex.backend=MD5E\n")
    (three / ".datalad").mkdir()
    (three / ".datalad" / "config").write_text("")
    register(root, "sub-03", commit_all(three), url="../parts/three")
    git("commit", "-q", "-m", "x", cwd=root)
    listed = units_of(root, by_session=True)
    assert before == listed.units[2]
    assert "sub-03" not in dict(listed.excluded)
    (three / "sub-03_T1w.json").write_text("{}")
    register(root, "sub-03", commit_all(three), url="../parts/three")
    git("commit", "-q", "-m", "x", cwd=root)
    after = units_of(root, by_session=True).units[2]
    assert before.tree == after.tree
    assert before.inherited != after.inherited


def test_sidecars_in_datasets_are_not_read(root):
    """What they name elsewhere is not looked for: their content lies in other repositories."""
    three = root.parent / "parts" / "three"
    for session in ("a", "b"):
        (three / f"ses-{session}" / "fmap").mkdir()
        sidecar = three / f"ses-{session}" / "fmap" / f"sub-03_ses-{session}_epi.json"
        sidecar.write_text('{"IntendedFor": "ses-b/anat/sub-03_ses-b_T1w.nii.gz"}')
    (three / "sub-03_meg.json").write_text('{"AssociatedEmptyRoom": "sub-emptyroom"}')
    register(root, "sub-03", commit_all(three), url="../parts/three")
    git("commit", "-q", "-m", "x", cwd=root)
    listed = units_of(root, by_session=True, include=("03",))
    assert ["sub-03_ses-a", "sub-03_ses-b"] == [unit.name for unit in listed.units]


def test_sessions_that_are_datasets_need_no_look(root, tmp_path):
    """In a subject's folder their names and commits are known."""
    register(root, "sub-01/ses-x", "5" * 40, url="../parts/x")
    git("commit", "-q", "-m", "x", cwd=root)
    listed = units_of(root, by_session=True, include=("01",))
    assert [("sub-01_ses-x", "5" * 40)] == [(unit.name, unit.tree) for unit in listed.units]
    assert () == listed.unreadable


def test_required_files_are_looked_for_inside(root):
    """Of those alone who may be chosen."""
    write_unit(root.parent / "parts" / "other", "sub-99")
    git("init", "-q", root.parent / "parts" / "other", cwd=root)
    other = commit_all(root.parent / "parts" / "other")
    register(root, "sub-05", other, url="../parts/other")
    git("commit", "-q", "-m", "x", cwd=root)
    listed = units_of(root, require=T1W, exclude=("04",))
    assert ["sub-01", "sub-02", "sub-03"] == [unit.name for unit in listed.units]
    assert [2, 2, 4] == [unit.files for unit in listed.units]
    assert () == listed.unreadable
    assert {
        "sub-04": "listed in subjects.exclude",
        "sub-05": "no file in its folder has a BIDS name of this subject",
    } == dict(listed.excluded)
    bold = (Requirement((("suffix", ("bold",)),)),)
    excluded = dict(units_of(root, require=bold, include=("01", "02")).excluded)
    assert "no file with suffix=bold" == excluded["sub-02"]


def test_where_asks_the_input_alone(root, tmp_path):
    """A condition over participants.tsv needs no dataset, and saves the look into the others."""
    (root / "participants.tsv").write_text("participant_id\tage\nsub-02\t30\nsub-04\t10\n")
    git("add", "participants.tsv", cwd=root)
    git("commit", "-q", "-m", "x", cwd=root)
    listed = units_of(root, require=T1W, where="age > 20")
    assert ["sub-02"] == [unit.name for unit in listed.units]
    assert () == listed.unreadable


def test_a_commit_is_looked_up_once(root, tmp_path):
    """Another list of the same commits needs no dataset."""
    first = units_of(root, memory=tmp_path / "memory", by_session=True)
    (tmp_path / "parts").rename(tmp_path / "away")
    assert first == units_of(root, memory=tmp_path / "memory", by_session=True)


def test_the_first_units_need_no_look_into_later_subjects(root, tmp_path, monkeypatch):
    """With a limit only as many datasets are read as it takes."""
    monkeypatch.setattr("bidsloom.units.subject_datasets.FIRST", 1)
    for selection in ({"by_session": True}, {"require": T1W}):
        listed = units_of(root, enough=2, **selection)
        assert ["sub-01", "sub-02"] == [unit.name for unit in listed.units[:2]]
        assert () == listed.unreadable
    listed = units_of(root, by_session=True, sessions=("a",), enough=1)
    assert "sub-03_ses-a" == listed.units[0].name


def test_unknown_sessions_are_no_error_while_a_dataset_is_unreachable(root):
    """It may have them; where every dataset is known, a session that none has is refused."""
    listed = units_of(root, by_session=True, sessions=("z", "a"))
    assert ["sub-03_ses-a"] == [unit.name for unit in listed.units]
    register(root, "sub-04", git("rev-parse", "HEAD:sub-02", cwd=root), url="../parts/two")
    git("commit", "-q", "-m", "x", cwd=root)
    with pytest.raises(WorkflowFailure, match="ses-z"):
        units_of(root, by_session=True, sessions=("z", "a"))


def test_a_dataset_that_gitmodules_does_not_name_is_left_out(root):
    """No rerun could fetch it; so is one whose name breaks BIDS tools, until it is excluded."""
    register(root, "sub-05", "5" * 40)
    git("commit", "-q", "-m", "x", cwd=root)
    reason = dict(units_of(root).excluded)["sub-05"]
    assert "sub-05 is not named in .gitmodules" in reason and "git submodule add" in reason
    register(root, "sub-0 6", "6" * 40, url="../parts/six")
    git("commit", "-q", "-m", "x", cwd=root)
    with pytest.raises(WorkflowFailure, match="sub-0 6"):
        units_of(root)


def unit(name: str) -> Unit:
    subject, _, session = name.removeprefix("sub-").partition("_ses-")
    return Unit(name, subject, session or None, tree="", inherited="", files=0, bytes=0)


@pytest.mark.parametrize(
    ("registered", "folder", "outer", "wanted"),
    [
        ("sub-01", "sub-01", "", ("sub-01", "")),
        ("sub-01", "sub-01/ses-a", "", ("sub-01", "ses-a")),
        ("sub-01/ses-a", "sub-01", "", ("sub-01/ses-a", "")),
        ("sub-01/ses-a/anat", "sub-01/ses-a", "", ("sub-01/ses-a/anat", "")),
        ("ses-a", "", "sub-01", ("sub-01/ses-a", "")),
        ("ses-a", "ses-a", "sub-01", ("sub-01/ses-a", "")),
        ("ses-a", "ses-b", "sub-01", None),
        ("sub-01/ses-b", "sub-01/ses-a", "", None),
        ("sub-01/ses-ab", "sub-01/ses-a", "", None),
        ("sub-01/derivatives", "sub-01", "", None),
        ("code", "", "sub-01", None),
    ],
)
def test_only_datasets_with_files_of_the_unit_are_installed(registered, folder, outer, wanted):
    """At, above or below its folder, at any depth; none that BIDS gives no files of a subject."""
    entries = [TreeEntry(registered, "160000", "1" * 40, 0)]
    parts = list(parts_in(entries, folder, Registry("/data"), outer=outer))
    assert ([wanted] if wanted else []) == [(part.path, part.inside) for part in parts]


def test_paths_of_a_part():
    """What a job reads of it, relative to it and to the input."""
    part = Part(Subdataset("sub-01", "1" * 40, ()), "ses-a", ("sub-01_scans.json",))
    assert ["ses-a", "sub-01_scans.json"] == part.paths
    assert ["sub-01/ses-a", "sub-01/sub-01_scans.json"] == part.outer_paths
    every = Part(Subdataset("sub-01", "1" * 40, ()), "")
    assert ([], ["sub-01"]) == (every.paths, every.outer_paths)


def test_all_files_of_a_unit_are_listed(root):
    """Those in its datasets too, as paths in the input."""
    found = list_unit_files(given(root), unit("sub-03_ses-a"))
    folder = "sub-03/ses-a/anat/sub-03_ses-a_T1w"
    assert [f"{folder}.json", f"{folder}.nii.gz"] == sorted(found)
    assert 2 == len(list_unit_files(given(root), unit("sub-01")))
    assert [] == find_parts(given(root), unit("sub-01"))
    assert "sub-03" == find_parts(given(root), unit("sub-03_ses-a"))[0].path


def test_a_dataset_of_somebody_else_is_refused():
    """Named are the unit, the dataset, what it holds, and what to do."""
    part = Part(Subdataset("sub-01", "1" * 40, ("/data/one",)), "")
    refuse_foreign(part, unit("sub-01"), ["sub-01/anat/sub-01_T1w.json"])
    for files, found in (
        (["sub-01/anat/sub-011_T1w.json"], "only files of sub-011"),
        (["sub-01/notes.txt"], "1 file(s)"),
        ([], "0 file(s)"),
    ):
        with pytest.raises(WorkflowFailure) as refused:
            refuse_foreign(part, unit("sub-01"), files)
        for text in ("sub-01", "/data/one", "1111111111", found):
            assert text in refused.value.message
        assert "subjects.exclude" in refused.value.hint
