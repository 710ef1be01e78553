"""Subjects and sessions that are datasets of their own, registered in the input."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from helpers.studies import git, make_workspace, run, write_bids, write_unit


@dataclass
class Superdataset:
    """An input whose subjects are datasets, and what a test wants to know of it."""

    root: Path
    store: Path
    commits: dict[str, str] = field(default_factory=dict)

    def register(self, path: str, source: Path, url: str, *, commit: str = "") -> None:
        """Register a dataset that lies elsewhere, without installing it."""
        commit = commit or git("rev-parse", "HEAD", cwd=source)
        identifier = git("config", "--file", ".datalad/config", "datalad.dataset.id", cwd=source)
        for name, value in (("path", path), ("url", url), ("datalad-id", identifier)):
            git("config", "--file", ".gitmodules", f"submodule.{path}.{name}", value, cwd=self.root)
        git("add", ".gitmodules", cwd=self.root)
        git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}", cwd=self.root)
        (self.root / path).mkdir(parents=True, exist_ok=True)

    def save(self) -> str:
        """Commit what is registered; returns the commit."""
        git("commit", "-q", "-m", "register", cwd=self.root)
        return git("rev-parse", "HEAD", cwd=self.root)


def create(root: Path) -> Path:
    """A new DataLad dataset."""
    root.parent.mkdir(parents=True, exist_ok=True)
    run("datalad", "-l", "error", "create", "-c", "text2git", root, cwd=root.parent)
    return root


def save(root: Path, *options) -> None:
    run("datalad", "-l", "error", "save", *options, cwd=root)


def make_subject(root: Path, *prefixes: str) -> Path:
    """A dataset of one subject, with an image for each prefix (`sub-01_ses-pre`)."""
    create(root)
    for prefix in prefixes:
        session = prefix.partition("_")[2]
        write_unit(root / session if session else root, prefix)
    save(root)
    return root


@pytest.fixture
def given(tmp_path):
    """A folder (01), a dataset below the input (02), one in a RIA store (03), sessions (04)."""
    root = create(tmp_path / "in put" / "bids")
    write_bids(root, {"01": [None]})
    save(root)
    given = Superdataset(root, tmp_path / "ria store")

    below = make_subject(root / "sub-02", "sub-02")
    given.register("sub-02", below, "./sub-02")

    stored = make_subject(tmp_path / "elsewhere" / "three", "sub-03")
    identifier = git("config", "--file", ".datalad/config", "datalad.dataset.id", cwd=stored)
    url = f"ria+file://{given.store}"
    run("datalad", "create-sibling-ria", "-s", "ria", "--new-store-ok", url, cwd=stored)
    run("datalad", "-l", "error", "push", "--to", "ria", cwd=stored)
    given.register("sub-03", stored, f"{url}#{identifier}")

    with_sessions = create(tmp_path / "elsewhere" / "four")
    (with_sessions / "sub-04_T1w.json").write_text('{"FlipAngle": 9}')
    make_subject(with_sessions / "ses-pre", "sub-04")
    for session in ("pre", "post"):
        place = with_sessions / f"ses-{session}"
        if place.exists():
            shutil.rmtree(place / "anat")
        else:
            create(place)
        write_unit(place, f"sub-04_ses-{session}")
        save(place)
    save(with_sessions, "-d", ".")
    given.register("sub-04", with_sessions, "../../elsewhere/four")
    given.save()
    return given


def report_of(workspace, unit):
    """What the app wrote down of a unit."""
    path = f"main:probe/{unit.replace('_', '/')}/{unit}_desc-probe.json"
    return json.loads(git("show", path, cwd=workspace.store))


def table(workspace, name) -> dict[str, list[str]]:
    """A table of the study, by its first column."""
    lines = (workspace.results / name).read_text().splitlines()[1:]
    return {line.split("\t")[0]: line.split("\t")[1:] for line in lines}


def registered(given, path):
    """The commit that the input registers at a path."""
    return git("rev-parse", f"HEAD:{path}", cwd=given.root)


def rerun(workspace, unit):
    """Compute a unit again in a fresh clone; what is not the same afterwards."""
    clone = workspace.clone(f"clone of {unit}")
    head = git("rev-parse", "HEAD", cwd=clone)
    commit = git("log", "-1", "--format=%H", f"--grep=Bidsloom-Unit: {unit}$", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    return git("diff", "--name-only", head, "HEAD", cwd=clone)


def test_subjects_that_are_datasets(given, tmp_path):
    """Each is processed at its registered commit, wherever it comes from; a rerun gets it too."""
    workspace = make_workspace(tmp_path / "my study", given.root)
    before = git("status", "--porcelain", cwd=given.root)
    workspace.snakemake()
    assert ["01", "02", "03", "04"] == workspace.runs()
    rows = table(workspace, "subjects.tsv")
    assert git("rev-parse", "HEAD:sub-01", cwd=given.root) == rows["sub-01"][2]
    for subject in ("sub-02", "sub-03", "sub-04"):
        assert registered(given, subject) == rows[subject][2]
    anat = {
        "sub-02": ["sub-02/anat/sub-02_T1w.json", "sub-02/anat/sub-02_T1w.nii.gz"],
        "sub-03": ["sub-03/anat/sub-03_T1w.json", "sub-03/anat/sub-03_T1w.nii.gz"],
        "sub-04": [
            *(f"sub-04/ses-{s}/anat/sub-04_ses-{s}_T1w.{e}" for s in ("post", "pre") for e in
              ("json", "nii.gz")),
            "sub-04/sub-04_T1w.json",
        ],
    }
    for subject, files in anat.items():
        assert files == sorted(report_of(workspace, subject)["files"])

    # Nothing is registered besides the input, and the input stays as it is.
    links = [line for line in git("ls-tree", "-r", "main", cwd=workspace.store).splitlines()
             if line.startswith("160000")]
    assert [f"160000 commit {git('rev-parse', 'HEAD', cwd=given.root)}\tsourcedata/raw"] == links
    assert before == git("status", "--porcelain", cwd=given.root)

    # A second run does nothing.
    done = workspace.snakemake()
    assert ["01", "02", "03", "04"] == workspace.runs()
    assert "left out" not in done.stdout + done.stderr

    for unit in ("sub-02", "sub-03", "sub-04"):
        assert "" == rerun(workspace, unit)
    assert ["01", "02", "02", "03", "03", "04", "04"] == workspace.runs()

    # Another registered commit: just that subject is due.
    place = given.root / "sub-02"
    (place / "anat" / "sub-02_T1w.json").write_text('{"EchoTime": 0.005}')
    save(place)
    given.register("sub-02", place, "./sub-02")
    workspace.config["datalad"]["input_version"] = given.save()
    workspace.snakemake()
    assert ["01", "02", "02", "02", "03", "03", "04", "04"] == workspace.runs()
