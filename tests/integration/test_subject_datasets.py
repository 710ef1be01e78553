"""Subjects and sessions that are datasets of their own, registered in the input."""

import json
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from helpers.servers import serve_folder
from helpers.studies import JOB_SCRIPT, git, make_workspace, run, write_bids, write_unit


def create(root: Path) -> Path:
    """A new dataset as DataLad makes it, but in a tenth of the time; text is in git."""
    root.mkdir(parents=True)
    git("init", "-q", cwd=root)
    git("annex", "init", "-q", cwd=root)
    (root / ".gitattributes").write_text("* annex.largefiles=(mimeencoding=binary)\n")
    git("config", "--file", "config", "datalad.dataset.id", str(uuid4()), cwd=root)
    (root / ".datalad").mkdir()
    (root / "config").rename(root / ".datalad" / "config")
    return root


def id_of(dataset: Path) -> str:
    """DataLad's identifier of a dataset."""
    return git("config", "--file", ".datalad/config", "datalad.dataset.id", cwd=dataset)


def save(root: Path) -> str:
    """Commit everything, as it is registered; returns the commit."""
    git("-c", "annex.dotfiles=false", "annex", "add", "-q", ".", cwd=root)
    git("add", "--", ".gitattributes", ".datalad", cwd=root)
    git("commit", "-q", "-m", "save", cwd=root)
    return git("rev-parse", "HEAD", cwd=root)


def make_part(root: Path, prefix: str) -> Path:
    """A dataset of one subject, or one session, with an image named after it."""
    write_unit(create(root), prefix)
    save(root)
    return root


def register(root: Path, path: str, source: Path, url: str, *, commit: str = "") -> None:
    """Stage a dataset as a subdataset, at its newest commit, without installing it."""
    commit = commit or git("rev-parse", "HEAD", cwd=source)
    for name, value in (("path", path), ("url", url), ("datalad-id", id_of(source))):
        git("config", "--file", ".gitmodules", f"submodule.{path}.{name}", value, cwd=root)
    git("add", ".gitmodules", cwd=root)
    link(root, path, commit)


def link(root: Path, path: str, commit: str) -> None:
    """Stage a commit as a subdataset, without naming it in `.gitmodules`."""
    git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}", cwd=root)
    (root / path).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def given(tmp_path):
    """A folder (01), a dataset below the input (02), one in a RIA store (03), with sessions (04).

    The sessions of 04 are datasets, too.
    """
    root = create(tmp_path / "in put" / "bids")
    write_bids(root, {"01": [None]})
    register(root, "sub-02", make_part(root / "sub-02", "sub-02"), "./sub-02")

    stored, url = make_part(tmp_path / "other" / "three", "sub-03"), f"ria+file://{tmp_path}/ria"
    run("datalad", "create-sibling-ria", "-s", "ria", "--new-store-ok", url, cwd=stored)
    run("datalad", "-l", "error", "push", "--to", "ria", cwd=stored)
    (stored / ".git" / "annex").rename(tmp_path / "other" / "annex of three")
    register(root, "sub-03", stored, f"{url}#{id_of(stored)}")

    four = create(tmp_path / "other" / "four")
    (four / "sub-04_T1w.json").write_text('{"FlipAngle": 9}')
    for session in ("ses-pre", "ses-post"):
        register(four, session, make_part(four / session, f"sub-04_{session}"), f"./{session}")
    save(four)
    register(root, "sub-04", four, "../../other/four")
    save(root)
    return root


def report_of(workspace, unit):
    """What the app wrote down of a unit."""
    path = f"main:probe/{unit.replace('_', '/')}/{unit}_desc-probe.json"
    return json.loads(git("show", path, cwd=workspace.store))


def table(workspace, name) -> dict[str, list[str]]:
    """A table of the study, by its first column."""
    lines = (workspace.results / name).read_text().splitlines()[1:]
    return {line.split("\t")[0]: line.split("\t")[1:] for line in lines}


def rerun(workspace, unit) -> str:
    """Compute a unit again in a fresh clone; returns which of its files are not the same."""
    clone = workspace.clone(f"clone of {unit}")
    head = git("rev-parse", "HEAD", cwd=clone)
    commit = git("log", "-1", "--format=%H", f"--grep=Bidsloom-Unit: {unit}$", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    folder = f"probe/{unit.replace('_', '/')}"
    assert git("ls-tree", "HEAD", folder, cwd=clone)
    return git("diff", "--name-only", head, "HEAD", "--", folder, cwd=clone)


def images(unit) -> list[str]:
    """The files of a unit's image, in its own folder."""
    return [f"{unit.replace('_', '/')}/anat/{unit}_T1w.{e}" for e in ("json", "nii.gz")]


def test_subjects_that_are_datasets(given, tmp_path):
    """Each is processed at its registered commit, wherever it comes from; a rerun gets it too."""
    workspace = make_workspace(tmp_path / "my study", given)
    before = git("status", "--porcelain", cwd=given)
    workspace.snakemake()
    assert ["01", "02", "03", "04"] == workspace.runs()
    rows = table(workspace, "subjects.tsv")
    assert git("rev-parse", "HEAD:sub-01", cwd=given) == rows["sub-01"][2]
    for subject in ("sub-02", "sub-03", "sub-04"):
        assert git("rev-parse", f"HEAD:{subject}", cwd=given) == rows[subject][2]
        if subject != "sub-04":
            assert images(subject) == sorted(report_of(workspace, subject)["files"])
    sessions = [*images("sub-04_ses-post"), *images("sub-04_ses-pre"), "sub-04/sub-04_T1w.json"]
    assert sessions == sorted(report_of(workspace, "sub-04")["files"])

    # Nothing is registered besides the input, and the input stays as it is.
    tree = git("ls-tree", "-r", "main", cwd=workspace.store).splitlines()
    link = f"160000 commit {git('rev-parse', 'HEAD', cwd=given)}\tsourcedata/raw"
    assert [link] == [line for line in tree if line.startswith("160000")]
    assert before == git("status", "--porcelain", cwd=given)

    # A dry run of a job shows what it would install, and installs nothing.
    job = run(
        sys.executable,
        JOB_SCRIPT,
        "--config",
        workspace.write_config(),
        "--subject",
        "04",
        "--dry-run",
        cwd=workspace.root,
    ).stdout
    assert git("rev-parse", "HEAD:sub-04", cwd=given) in job
    assert f"{tmp_path}/other/four" in job

    # A second run does nothing.
    done = workspace.snakemake()
    assert ["01", "02", "03", "04"] == workspace.runs()
    assert "left out" not in done.stdout + done.stderr

    for unit in ("sub-02", "sub-03", "sub-04"):
        assert "" == rerun(workspace, unit)
    assert ["01", "02", "02", "03", "03", "04", "04"] == workspace.runs()

    # Another registered commit: just that subject is due.
    place = given / "sub-02"
    (place / "anat" / "sub-02_T1w.json").write_text('{"EchoTime": 0.005}')
    save(place)
    register(given, "sub-02", place, "./sub-02")
    workspace.config["datalad"]["input_version"] = save(given)
    workspace.snakemake()
    assert ["01", "02", "02", "02", "03", "03", "04", "04"] == workspace.runs()


def test_sessions_in_datasets(given, tmp_path):
    """Sessions are found inside a subject's dataset, as folders and as datasets.

    What was looked up is remembered, so the next start needs no dataset.
    """
    five = create(tmp_path / "other" / "five")
    (five / "sub-05_T1w.json").write_text('{"FlipAngle": 9}')
    for session in ("pre", "post"):
        write_unit(five / f"ses-{session}", f"sub-05_ses-{session}")
    save(five)
    register(given, "sub-05", five, f"file://{five}")
    save(given)
    workspace = make_workspace(tmp_path / "my study", given)
    workspace.config["subjects"] = {"processing_level": "session", "sessions": ["pre"]}
    workspace.config["container"]["session_folders"] = False
    workspace.snakemake("-n")
    # Without the list of units, but with what was looked up.
    (workspace.results / "units.json").unlink()
    for place in (given / "sub-02", tmp_path / "ria", tmp_path / "other"):
        place.rename(f"{place} is away")
    workspace.snakemake("-n")
    for place in (given / "sub-02", tmp_path / "ria", tmp_path / "other"):
        Path(f"{place} is away").rename(place)

    workspace.snakemake()
    rows = table(workspace, "subjects.tsv")
    assert ["sub-04_ses-pre", "sub-05_ses-pre"] == list(rows)
    link = git("rev-parse", "HEAD:ses-pre", cwd=tmp_path / "other" / "four")
    folder = git("rev-parse", "HEAD:ses-pre", cwd=five)
    assert [link, folder] == [row[2] for row in rows.values()]
    excluded = table(workspace, "excluded.tsv")
    assert ["session not listed in subjects.sessions"] == excluded["sub-05_ses-post"]
    for unit in rows:
        assert images(unit) == sorted(report_of(workspace, unit)["files"])
        assert "" == rerun(workspace, unit)
    # A file beside the sessions is what they inherit.
    text = git("log", "--grep=Bidsloom-Unit: sub-05_ses-pre", "main", cwd=workspace.store)
    assert '"sourcedata/raw/sub-05/sub-05_T1w.json"' in text

    # Another session of a subject does not make this one due.
    runs = workspace.runs()
    (five / "ses-post" / "anat" / "sub-05_ses-post_T1w.json").write_text("{}")
    save(five)
    register(given, "sub-05", five, f"file://{five}")
    workspace.config["datalad"]["input_version"] = save(given)
    workspace.snakemake()
    assert runs == workspace.runs()
    (five / "sub-05_T1w.json").write_text('{"FlipAngle": 8}')
    save(five)
    register(given, "sub-05", five, f"file://{five}")
    workspace.config["datalad"]["input_version"] = save(given)
    workspace.snakemake()
    assert sorted([*runs, "05"]) == workspace.runs()


def test_datasets_that_cannot_be_had(given, tmp_path):
    """A dead URL, a lost commit and another subject's dataset fail one unit each, or leave it out.

    Each time subject, URL and remedy are named, and the others are merged.
    """
    other = make_part(tmp_path / "other" / "six", "sub-06")
    seven = make_part(tmp_path / "other" / "seven", "sub-07")
    register(given, "sub-07", seven, f"{tmp_path}/no/such/place")
    register(given, "sub-08", other, f"file://{other}", commit="8" * 40)
    register(given, "sub-09", other, f"file://{other}")
    # Its one image is nowhere.
    register(given, "sub-06", other, f"file://{other}")
    git("annex", "drop", "-q", "--force", ".", cwd=other)
    link(given, "sub-10", "9" * 40)
    save(given)
    workspace = make_workspace(tmp_path / "my study", given)
    faults = {
        "sub-07": (f"{tmp_path}/no/such/place", "does not exist", "correct its URL in .gitmodules"),
        "sub-08": (f"file://{other}", "it does not have that commit", "push that commit"),
        "sub-06": (f"file://{other}", "anat/sub-06_T1w.nii.gz", "git annex whereis"),
        "sub-09": (f"file://{other}", "only files of sub-06", "register the right dataset"),
    }

    checked = workspace.snakemake("--cores", "1", "check")
    words = " ".join((checked.stdout + checked.stderr).split())
    assert "3 of 7 units" in words
    for subject in ("sub-07", "sub-08", "sub-09"):
        assert subject in words and faults[subject][1] in words

    done = workspace.snakemake("--cores", "2", "--keep-going", check=False)
    assert 0 != done.returncode
    assert ["01", "02", "03", "04"] == workspace.runs()
    for subject in ("sub-01", "sub-02", "sub-03", "sub-04"):
        assert f"probe/{subject}.html" in workspace.tree()
    for subject, (url, why, remedy) in faults.items():
        last = workspace.attempts(subject)[-1]
        text = " ".join([last["message"], last["hint"]])
        assert subject in text and url in text and why in text and remedy in text
    reason = "its dataset sub-10 is not named in .gitmodules"
    assert reason in table(workspace, "excluded.tsv")["sub-10"][0]

    # Where files are asked for, datasets are looked into, and these are left out.
    workspace.config["subjects"] = {"require": [{"suffix": "T1w"}], "exclude": ["06"]}
    done = workspace.snakemake()
    words = " ".join((done.stdout + done.stderr).split())
    assert "2 unit(s) are left out, because their datasets cannot be read" in words
    excluded = table(workspace, "excluded.tsv")
    for subject in ("sub-07", "sub-08"):
        url, why, remedy = faults[subject]
        assert url in excluded[subject][0] and why in excluded[subject][0]
        assert remedy in excluded[subject][0]
    assert ["no file in its folder has a BIDS name of this subject"] == excluded["sub-09"]
    assert ["01", "02", "03", "04"] == workspace.runs()

    # Once it is there, the next start finds it.
    (tmp_path / "no" / "such").mkdir(parents=True)
    seven.rename(tmp_path / "no" / "such" / "place")
    workspace.snakemake()
    assert ["01", "02", "03", "04", "07"] == workspace.runs()


@pytest.mark.more
def test_subjects_in_the_store_of_the_input_and_on_a_web_server(tmp_path):
    """By their identifier in the RIA store that the input itself comes from, and over http."""
    other, store = tmp_path / "other", f"ria+file://{tmp_path}/ria"
    root, one, two = create(other / "bids"), other / "one", other / "two"
    register(root, "sub-01", make_part(one, "sub-01"), "./sub-01")
    make_part(two, "sub-02")
    git("update-server-info", cwd=two)
    with serve_folder(other) as url:
        register(root, "sub-02", two, f"{url}/two/.git")
        write_bids(root, {})
        save(root)
        for dataset in (root, one):
            run("datalad", "create-sibling-ria", "-s", "ria", "--new-store-ok", store, cwd=dataset)
            run("datalad", "-l", "error", "push", "--to", "ria", cwd=dataset)
        workspace = make_workspace(tmp_path / "my study", Path(f"{store}#{id_of(root)}"))
        workspace.config["datalad"]["input_repo"] = f"{store}#{id_of(root)}"
        workspace.config["subjects"] = {"require": [{"suffix": "T1w"}]}
        for dataset in (root, one):
            dataset.rename(f"{dataset} is away")
        workspace.snakemake()
        assert ["01", "02"] == workspace.runs()
        for unit in ("sub-01", "sub-02"):
            assert images(unit) == sorted(report_of(workspace, unit)["files"])
            assert "" == rerun(workspace, unit)
