"""Where results lie in the output dataset, and that it is a valid BIDS dataset."""

import json
import shutil

import jsonschema
import pytest
from helpers.studies import REPOSITORY, git, make_input, make_workspace, run

OUTPUT = "derivatives/probe"
STATUS_SCHEMA = REPOSITORY / "tests/unit/reporting/processing_status.schema.json"


def show(workspace, path):
    """A JSON file of main."""
    return json.loads(git("show", f"main:{path}", cwd=workspace.store))


def findings(workspace, dataset):
    """What bids-validator found in a dataset: codes of errors."""
    found = json.loads((workspace.results / "bids.json").read_text())["findings"]
    return {f["code"] for f in found if (f["dataset"], f["severity"]) == (dataset, "error")}


@pytest.fixture(scope="module")
def bids(tmp_path_factory):
    """An input that says where it is from, at a tag."""
    root = make_input(tmp_path_factory.mktemp("described") / "bids", {"01": [None], "02": [None]})
    description = {
        "Name": "tests",
        "BIDSVersion": "1.10.0",
        "License": "CC0",
        "Authors": ["A. Author", "B. Author"],
        "DatasetDOI": "doi:10.18112/openneuro.ds000001.v1.0.0",
    }
    (root / "dataset_description.json").write_text(json.dumps(description))
    run("datalad", "-l", "error", "save", "-m", "describe", "--version-tag", "1.0.0", cwd=root)
    origin = "https://me:secret@example.org/ds000001.git"
    git("remote", "add", "origin", origin, cwd=root)
    return root


@pytest.fixture(scope="module")
def study(tmp_path_factory, bids):
    """A finished study whose config names no outputs."""
    workspace = make_workspace(tmp_path_factory.mktemp("layout") / "my study", bids)
    del workspace.config["container"]["outputs"]
    workspace.config["report"]["validate"] = True
    workspace.config["subjects"] = {"include": ["02"]}
    (workspace.switches / "bids-names").touch()
    workspace.snakemake()
    return workspace


def layout(workspace) -> set[str]:
    """The folders of main that hold subjects' results."""
    paths = git("ls-tree", "-r", "-d", "--name-only", "main", cwd=workspace.store).splitlines()
    return {
        path.rpartition("/")[0] for path in paths if "/sub-" in path and path.count("/sub-") == 1
    }


@pytest.mark.more
def test_store_of_the_old_default_goes_on(workspace):
    """Its config names no outputs: no subject is due, nothing moves, new ones join the others."""
    container = workspace.config["container"]
    workspace.config["subjects"] = {"include": ["01", "02"]}
    # What the default was: the store's scaffolding is the same as with this key.
    container["outputs"] = ["probe"]
    workspace.snakemake()
    before = workspace.tree()
    del container["outputs"]
    assert "nothing to process: 2 unit(s) are done" in workspace.snakemake("-n").stderr
    run("chmod", "-R", "u+w", workspace.root / "results", cwd=workspace.root)
    shutil.rmtree(workspace.root / "results")
    del workspace.config["subjects"]
    assert "1 unit(s) to process, 2 done" in workspace.snakemake().stderr
    assert ["01", "02", "03"] == workspace.runs()
    assert set(before.splitlines()) <= set(workspace.tree().splitlines())
    assert {"probe"} == layout(workspace)
    files = git("ls-tree", "--name-only", "main", cwd=workspace.store).splitlines()
    assert "derivatives" not in files
    assert "/probe" == git("show", "main:.bidsignore", cwd=workspace.store)


def test_new_study_is_a_described_bids_study_dataset(study):
    """Root and output say what made them from what, and the root passes bids-validator."""
    assert {OUTPUT} == layout(study)
    root, output = (show(study, f"{f}dataset_description.json") for f in ("", f"{OUTPUT}/"))
    assert ("study", "probe") == (root["DatasetType"], root["Name"])
    # The app wrote its name, and nothing else.
    assert ("derivative", "probe") == (output["DatasetType"], output["Name"])
    source = {
        "URL": "https://example.org/ds000001.git",
        "DOI": "doi:10.18112/openneuro.ds000001.v1.0.0",
        "Version": "1.0.0",
    }
    for description in (root, output):
        assert "CC0" == description["License"]
        assert ["A. Author", "B. Author"] == description["Authors"]
        assert [source] == description["SourceDatasets"]
        assert ["probe", "bidsloom"] == [made["Name"] for made in description["GeneratedBy"]]
    assert {"raw": "sourcedata/raw", "probe": OUTPUT} == root["DatasetLinks"]
    assert {"raw": "../../sourcedata/raw"} == output["DatasetLinks"]
    assert set() == findings(study, ".")
    # The app's own pages and tables: BIDS has no names for them.
    assert "NOT_INCLUDED" in findings(study, OUTPUT)
    report = json.loads((study.results / "report.json").read_text())
    assert "all 1 subject(s)" == report["bids"]["sample"]
    assert any("NOT_INCLUDED" in line for line in report["bids"]["lines"])
    wide = {"COLUMNS": "800"}
    table = study.snakemake("--cores", "1", "check", env=wide).stdout
    assert "BIDS of the results" in table and "NOT_INCLUDED" in table


def test_processing_status_after_each_merge(study):
    """A row for each session, in the form of nipoppy and Neurobagel's digest."""
    study.snakemake("--cores", "1", "merge")
    lines = (study.results / "processing_status.tsv").read_text().splitlines()
    columns, *rows = (line.split("\t") for line in lines)
    (row,) = (dict(zip(columns, row, strict=True)) for row in rows)
    jsonschema.validate(row, json.loads(STATUS_SCHEMA.read_text()))
    assert ("02", "unnamed", "probe", "SUCCESS") == (
        row["participant_id"],
        row["session_id"],
        row["pipeline_name"],
        row["status"],
    )


def test_readme_says_how_to_get_and_rerun_a_subject(study):
    """And from what it was made; the commands work in a fresh clone."""
    readme = git("show", "main:README.md", cwd=study.store)
    for text in ("probe", "sourcedata/raw", f"datalad get {OUTPUT}/sub-01", "datalad rerun"):
        assert text in readme
    assert "secret" not in readme


def test_edited_description_stays(study):
    """What somebody writes into main is neither replaced nor lost when a subject is added."""
    path = f"{OUTPUT}/dataset_description.json"
    clone = study.clone("edited")
    edited = {**show(study, path), "License": "ODbL", "Funding": ["us"]}
    (clone / path).write_text(json.dumps(edited))
    git("commit", "-q", "-am", "Our licence", cwd=clone)
    git("push", "-q", "origin", "HEAD:main", cwd=clone)
    before = git("rev-parse", "main", cwd=study.store)
    study.snakemake("--cores", "1", "merge")
    assert before == git("rev-parse", "main", cwd=study.store)
    del study.config["subjects"]
    study.snakemake()
    assert edited == show(study, path)
    # The other one is still the merge's.
    assert "CC0" == show(study, "dataset_description.json")["License"]
    assert set() == findings(study, ".")


def test_results_are_the_input_of_a_second_study(study, tmp_path):
    """As the dataset that is processed, and as a further input; what is missing is said."""
    second = make_workspace(tmp_path / "second", study.store)
    del second.config["container"]["outputs"]
    datalad = second.config["datalad"]
    second.config["study"] = second.config["container"]["name"] = "second"
    given = {"repo": str(study.store), "path": "sourcedata/again", "flag": "--derivatives"}
    datalad["inputs"] = [given]
    said = second.snakemake("-n", check=False).stderr
    assert f"set datalad.input_folder; there are {OUTPUT}" in said
    datalad["input_folder"] = OUTPUT
    said = second.snakemake("-n", check=False).stderr
    assert f"for example folder: {OUTPUT}" in said
    given["folder"] = OUTPUT
    second.snakemake()
    report = show(second, "derivatives/second/sub-02/sub-02_desc-probe.json")
    sizes = dict(
        line.split("\t")
        for line in git(
            "ls-tree", "-r", "--format=%(path)\t%(objectsize)", f"main:{OUTPUT}", cwd=study.store
        ).splitlines()
    )
    names = ("desc-probe.dat", "desc-probe.json", "desc-probe_T1w.json")
    assert {f"sub-02/sub-02_{name}" for name in names} == set(report["files"])
    again = report["sourcedata/again/derivatives/probe"]
    assert int(sizes["sub-02/sub-02_desc-probe.json"]) == again["sub-02/sub-02_desc-probe.json"]
    described = show(second, "derivatives/second/dataset_description.json")
    raw = {"raw": f"../../sourcedata/raw/{OUTPUT}", "again": f"../../sourcedata/again/{OUTPUT}"}
    assert raw == described["DatasetLinks"]
    first = show(study, f"{OUTPUT}/dataset_description.json")
    assert [first[key] for key in ("License", "Authors")] == [
        described[key] for key in ("License", "Authors")
    ]
    # The record fetches the first study's results into a fresh clone.
    clone = second.clone("again")
    head = git("rev-parse", "HEAD", cwd=clone)
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-02", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    changed = git("diff", "--name-only", head, "HEAD", cwd=clone)
    assert changed in ("", "derivatives/second/logs/CITATION.md")
