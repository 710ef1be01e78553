"""Clones that hold one unit's part of a dataset."""

from pathlib import Path

import pytest
from bidsloom.base.runners import call, call_annex, call_git, call_git_lines
from bidsloom.datasets.annex import annexed_keys
from bidsloom.datasets.imports import connect_folder, open_source
from bidsloom.datasets.thin_clones import (
    CLONE,
    Findings,
    further_paths_steps,
    lay_out_steps,
    quoted,
    remotes_of,
    share_remotes,
)


@pytest.fixture
def source(tmp_path):
    """A clone, without a work tree, of a dataset with two annexed subjects."""
    origin = tmp_path / "the origin"
    origin.mkdir()
    call_git(["init", "-q"], cwd=origin)
    call_annex(["init", "-q", "origin"], cwd=origin)
    for subject in ("sub-01", "sub-02"):
        (origin / subject).mkdir()
        (origin / subject / "image.dat").write_bytes(subject.encode())
    call_annex(["add", "-q", "--force-large", "."], cwd=origin)
    call_git(["commit", "-q", "-m", "x"], cwd=origin)
    clone = tmp_path / "the study's clone"
    call_git(["clone", "-q", "--no-checkout", str(origin), str(clone)], cwd=tmp_path)
    share_remotes(clone)
    return clone


def test_only_the_unit_is_there_and_its_content_can_be_fetched(source, tmp_path):
    """One subject's files and location logs; content comes from the original remote."""
    commit = call_git(["rev-parse", "HEAD"], cwd=source)
    keys = annexed_keys(source, commit, ["sub-01"])
    thin = tmp_path / "thin"
    call([*CLONE, "--origin", "study", *remotes_of(source), str(source), str(thin)], cwd=tmp_path)
    steps = lay_out_steps("structure", source, thin, commit, paths=["sub-01"], keys=keys)
    for step in steps:
        call(step.argv, cwd=step.cwd)
    assert ["sub-01"] == sorted(p.name for p in thin.iterdir() if p.name != ".git")
    logs = call_git_lines(["ls-tree", "-r", "--name-only", "git-annex"], cwd=thin)
    assert [f"{keys[0]}.log"] == [
        n.rpartition("/")[2] for n in logs if n.endswith(".log") and "/" in n
    ]
    call_annex(["get", "-q", "sub-01/image.dat"], cwd=thin)
    assert b"sub-01" == (thin / "sub-01" / "image.dat").read_bytes()
    # No location log mentions the clone.
    assert commit == call_git(["rev-parse", "HEAD"], cwd=thin)
    assert "true" == call_git(["config", "annex.private"], cwd=thin)


def thin_clone(source, thin, *, known, paths=("sub-01",)):
    """A clone of some paths; returns the programs' first words of the steps."""
    commit = call_git(["rev-parse", "HEAD"], cwd=source)
    call(
        [*CLONE, "--origin", "study", *remotes_of(source), str(source), str(thin)],
        cwd=source.parent,
    )
    keys = annexed_keys(source, commit, [*paths])
    steps = lay_out_steps("structure", source, thin, commit, paths=[*paths], keys=keys, known=known)
    words = []
    for step in steps:
        call(step.argv, cwd=step.cwd)
        words.append(" ".join(step.argv[:3]))
    return words


def uuid_of(clone):
    return call_git(["config", "annex.uuid"], cwd=clone)


def test_what_git_annex_found_out_once_holds_for_further_clones(source, tmp_path):
    """They have a UUID of their own, all of its settings, and get content by them."""
    known, first, second = Findings(), tmp_path / "first", tmp_path / "second"
    assert "git annex init" in thin_clone(source, first, known=known)
    assert "git annex init" not in thin_clone(source, second, known=known)
    assert uuid_of(first) != uuid_of(second)
    settings = [
        call_git_lines(["config", "--local", "--get-regexp", r"^(annex|filter)\."], cwd=clone)
        for clone in (first, second)
    ]
    own = [{line for line in lines if "annex.uuid" not in line} for lines in settings]
    assert own[0] == own[1]
    assert any(line.startswith("annex.version") for line in own[1])
    # By this, DataLad takes it for a dataset that needs no `git annex init`.
    assert (second / ".git" / "annex").is_dir()
    call_annex(["get", "-q", "sub-01/image.dat"], cwd=second)
    assert b"sub-01" == (second / "sub-01" / "image.dat").read_bytes()
    # More can be laid out beside what is there.
    commit = call_git(["rev-parse", "HEAD"], cwd=source)
    keys = annexed_keys(source, commit, ["sub-01", "sub-02"])
    for step in further_paths_steps("x", source, second, commit, paths=["sub-02"], keys=keys):
        call(step.argv, cwd=step.cwd)
    call_annex(["get", "-q", "sub-02/image.dat"], cwd=second)
    assert b"sub-02" == (second / "sub-02" / "image.dat").read_bytes()
    # git-annex had nothing left to do when it was asked.
    before = (second / ".git" / "config").read_text()
    call_annex(["init", "-q"], cwd=second)
    assert before.count("[annex]") == (second / ".git" / "config").read_text().count("[annex]")


def test_unlocked_file_is_got_in_a_clone_that_took_the_findings_over(source, tmp_path):
    origin = tmp_path / "the origin"
    call_annex(["unlock", "-q", "sub-02/image.dat"], cwd=origin)
    call_git(["commit", "-q", "-m", "unlocked"], cwd=origin)
    call_git(["fetch", "-q", "origin", "HEAD"], cwd=source)
    call_git(["reset", "-q", "--soft", "FETCH_HEAD"], cwd=source)
    known = Findings()
    thin_clone(source, tmp_path / "first", known=known)
    thin_clone(source, tmp_path / "second", known=known, paths=["sub-02"])
    call_annex(["get", "-q", "sub-02"], cwd=tmp_path / "second")
    assert b"sub-02" == (tmp_path / "second" / "sub-02" / "image.dat").read_bytes()


def test_dataset_of_unusual_settings_is_initialised_by_git_annex(source, tmp_path):
    """Its logs are in folders of other names, for which git-annex writes more settings."""
    tuned = tmp_path / "tuned"
    tuned.mkdir()
    call_git(["init", "-q"], cwd=tuned)
    tune = ["-c", "annex.tune.objecthash1=true", "-c", "annex.tune.branchhash1=true"]
    call_git([*tune, "annex", "init", "-q", "tuned"], cwd=tuned)
    (tuned / "sub-01").mkdir()
    (tuned / "sub-01" / "image.dat").write_bytes(b"tuned")
    call_annex(["add", "-q", "--force-large", "."], cwd=tuned)
    call_git(["commit", "-q", "-m", "x"], cwd=tuned)
    clone, known = tmp_path / "clone of it", Findings()
    call_git(["clone", "-q", "--no-checkout", str(tuned), str(clone)], cwd=tmp_path)
    share_remotes(clone)
    thin_clone(source, tmp_path / "first", known=known)
    assert "git annex init" in thin_clone(clone, tmp_path / "second", known=known)
    call_annex(["get", "-q", "sub-01"], cwd=tmp_path / "second")
    assert b"tuned" == (tmp_path / "second" / "sub-01" / "image.dat").read_bytes()


@pytest.mark.parametrize("value", ["plain", 'with "quotes"', "back\\slash", "# no comment; none"])
def test_git_reads_a_quoted_value_as_it_was(tmp_path, value):
    file = tmp_path / "config"
    file.write_text(f"[remote {quoted(value)}]\n\turl = {quoted(value)}\n")
    found = call_git(["config", "--file", str(file), "--get", f"remote.{value}.url"], cwd=tmp_path)
    assert value == found


@pytest.fixture
def imported(tmp_path):
    """The study's clone of the dataset of a plain folder with three subjects."""
    folder, clone = tmp_path / "a folder", tmp_path / "input"
    for subject in ("sub-01", "sub-02", "sub-03"):
        (folder / subject).mkdir(parents=True)
        (folder / subject / "image.dat").write_bytes(subject.encode())
    made = open_source(str(folder), tmp_path / "imported", key="datalad.input_repo")
    call_git(["clone", "-q", "--no-checkout", made.url, str(clone)], cwd=tmp_path)
    call_annex(["init", "-q"], cwd=clone)
    connect_folder(Path(made.url), clone)
    share_remotes(clone)
    return clone


def clone_first(source: Path, commit: str, thin: Path) -> None:
    """A job's clone of `source` with the files of sub-01, and their content."""
    own = ["--origin", "study", *remotes_of(source)]
    call([*CLONE, *own, str(source), str(thin)], cwd=thin.parent)
    keys = annexed_keys(source, commit, ["sub-01"])
    for step in lay_out_steps("x", source, thin, commit, paths=["sub-01"], keys=keys):
        call(step.argv, cwd=step.cwd)
    call_annex(["get", "-q", "sub-01"], cwd=thin)


def test_a_job_gets_its_part_of_a_folder_whatever_else_the_folder_holds(imported, tmp_path):
    """git-annex is told of the unit's files alone; it would read the tree of all subjects."""
    commit = call_git(["rev-parse", "HEAD"], cwd=imported)
    thin = tmp_path / "thin"
    clone_first(imported, commit, thin)
    assert b"sub-01" == (thin / "sub-01" / "image.dat").read_bytes()
    (tree,) = {
        line.split()[2]
        for line in call_git_lines(["cat-file", "blob", "git-annex:export.log"], cwd=thin)
    }
    listed = call_git_lines(["ls-tree", "-r", "--name-only", tree], cwd=thin)
    assert ["sub-01/image.dat"] == listed


@pytest.mark.parametrize("fixture", ["source", "imported"])
def test_paths_can_be_added_later(request, tmp_path, fixture):
    """With their location logs; those of the first ones stay."""
    source, thin = request.getfixturevalue(fixture), tmp_path / "thin"
    commit = call_git(["rev-parse", "HEAD"], cwd=source)
    clone_first(source, commit, thin)
    keys = annexed_keys(source, commit, ["sub-01", "sub-02"])
    for step in further_paths_steps("x", source, thin, commit, paths=["sub-02"], keys=keys):
        call(step.argv, cwd=step.cwd)
    call_annex(["get", "-q", "sub-01", "sub-02"], cwd=thin)
    for subject in ("sub-01", "sub-02"):
        assert subject.encode() == (thin / subject / "image.dat").read_bytes()
