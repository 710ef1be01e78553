"""The file of a chain: what it lists, in which order it runs, and what is wrong with it."""

from __future__ import annotations

import copy

import pytest
import yaml
from bidsloom.base.errors import ConfigFailure
from bidsloom.chains.chain_file import is_chain, read_chain

STUDY = {
    "datalad": {"input_repo": "raw"},
    "container": {
        "image": "app.sif",
        "runtime": "none",
        "call_fmt": "python3 {img} {cmd}",
        "bids_args": {"analysis_level": "participant"},
    },
}


@pytest.fixture
def write(tmp_path):
    """Write a study's config file, and return its name."""

    def write_study(name: str, *reads, file: str = "", level: str = "subject", **datalad) -> str:
        config = copy.deepcopy(STUDY)
        config["study"] = name
        config["container"]["name"] = "app"
        config["container"]["outputs"] = ["out"]
        config["datalad"]["output_repos"] = [f"{name}.git"]
        config["datalad"] |= datalad
        config["subjects"] = {"processing_level": level}
        if reads:
            config["datalad"]["inputs"] = [
                read if isinstance(read, dict) else {"study": read} for read in reads
            ]
        file = file or f"{name}.yaml"
        (tmp_path / file).write_text(yaml.safe_dump(config))
        return file

    return write_study


def faults(tmp_path, **chain) -> list[str]:
    """The error messages about a chain's file."""
    with pytest.raises(ConfigFailure) as failed:
        read_chain(chain, tmp_path / "chain.yaml", base=tmp_path)
    return [f"{problem.message} {problem.hint}" for problem in failed.value.problems]


def test_studies_run_after_those_that_they_read(tmp_path, write):
    """By name or by file, in whatever order they are listed."""
    files = [write("c", "b.yaml", "a"), write("b", "a"), write("a")]
    chain = read_chain({"studies": files}, tmp_path / "chain.yaml", base=tmp_path)
    assert ["a", "b", "c"] == [step.name for step in chain.steps]
    assert "chain" == chain.name
    # Jobs know the others by name: the file may be a template, and lie elsewhere.
    assert [{"study": "b"}, {"study": "a"}] == chain.steps[2].config["datalad"]["inputs"]
    (further,) = chain.steps[1].study.further_inputs
    assert ("sourcedata/a", "out", str(tmp_path / "a.git")) == (
        further.path,
        further.folder,
        further.url,
    )
    assert (is_chain({"studies": []}), is_chain(STUDY)) == (True, False)


def test_a_circle_is_one_error(tmp_path, write):
    """Studies that read each other can never start."""
    files = [write("a", "c"), write("b", "a"), write("c", "b"), write("d", "c")]
    (said,) = faults(tmp_path, studies=files)
    assert "in a circle: a -> c -> b -> a" in said


def test_an_input_study_that_is_missing_or_misspelt(tmp_path, write):
    """A near name is offered; a file beside the list is not read in silence."""
    files = [write("fmriprep"), write("xcpd", "fmriprp")]
    (said,) = faults(tmp_path, studies=files)
    assert said.startswith("xcpd.yaml: datalad.inputs.0.study names 'fmriprp'")
    assert "did you mean 'fmriprep'?" in said
    write("other")
    (said,) = faults(tmp_path, studies=[write("last", "./other.yaml")])
    assert "last.yaml reads the results of study other, which is not in the chain." in said


def test_two_studies_of_one_store_or_name(tmp_path, write):
    """Their results would be in each other's way."""
    files = [write("a"), write("b", output_repos=["./a.git"])]
    (said,) = faults(tmp_path, studies=files)
    assert f"a.yaml and b.yaml name one output store, {tmp_path}/a.git." in said
    said = faults(tmp_path, studies=[write("a"), write("a", file="again.yaml")])
    assert "a.yaml and again.yaml describe studies of one name, a." in said[0]
    (said,) = faults(
        tmp_path, studies=[write("a-b", output_repos=["1"]), write("a_b", output_repos=["2"])]
    )
    assert "studies of one name" in said


def test_differing_versions_of_an_input(tmp_path, write):
    """What two steps read of one dataset is one version of it."""
    files = [write("a", input_version="1.0"), write("b", "a")]
    (said,) = faults(tmp_path, studies=files)
    assert "a.yaml and b.yaml read" in said
    assert "in different versions: 1.0 and the newest one" in said


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ({"studies": []}, "studies is [] in"),
        ({"studies": "a.yaml"}, "studies is 'a.yaml' in"),
        ({"studies": ["a.yaml", "a.yaml"]}, "studies lists a.yaml twice"),
        ({"studies": ["a.yaml", 7]}, "studies lists 7 in"),
        ({"studies": ["nowhere.yaml"]}, "nowhere.yaml cannot be read: No such file"),
        ({"studies": ["a.yaml"], "datasets": []}, "datasets is [] in"),
        ({"studies": ["a.yaml"], "datasets": ["a/b"]}, "datasets lists 'a/b'"),
        ({"studies": ["a.yaml"], "container": {}}, "container is not a known key of a chain"),
        ({"studies": ["chain.yaml"]}, "is a chain itself"),
    ],
)
def test_bad_lists(tmp_path, write, chain, said):
    """Each is one error message, before anything starts."""
    write("a")
    (tmp_path / "chain.yaml").write_text("studies: [a.yaml]")
    (problem,) = faults(tmp_path, **chain)
    assert said in problem


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"study": "a", "repo": "x"}, "names both a study and a repo"),
        ({"study": "a", "version": "1"}, "names both a study and a version"),
        ({"study": "a", "output": "surf"}, "it has no output 'surf'"),
        ({"study": "a", "group": True}, "it has no group level"),
        ({"study": "b"}, "that is this study itself"),
        ({"repo": "x", "path": "sourcedata/x", "group": True}, "group is set, but the input names"),
        ({"path": "sourcedata/x"}, "datalad.inputs.0.repo is missing"),
    ],
)
def test_bad_inputs(tmp_path, write, given, said):
    """An input is a study or a repository."""
    (problem,) = faults(tmp_path, studies=[write("a"), write("b", given)])
    assert said in problem


def test_sessions_read_the_folders_of_sessions(tmp_path, write):
    """A study of subjects would find only one of them in each: it is refused."""
    files = [write("a", level="session"), write("b", "a", level="session")]
    chain = read_chain({"studies": files}, tmp_path / "chain.yaml", base=tmp_path)
    (further,) = chain.steps[1].study.further_inputs
    assert ("out", "out/ses-pre") == (further.folder, further.at_session("pre").folder)
    inner = write("d", {"study": "a", "folder": "surfaces"}, level="session")
    chain = read_chain({"studies": [files[0], inner]}, tmp_path / "chain.yaml", base=tmp_path)
    (further,) = chain.steps[1].study.further_inputs
    assert "out/surfaces" == further.folder
    assert "out/ses-pre/surfaces" == further.at_session("pre").folder
    (said,) = faults(tmp_path, studies=[*files, write("c", "a")])
    assert "it writes a folder for each session" in said


def test_a_dataset_with_faults_leaves_the_others(tmp_path, write):
    """Each dataset has the steps of the templates; a faulty one is named, and none of the steps."""
    name, store = "{dataset}-prep", ["{dataset}.git"]
    first = write(name, file="prep.yaml", input_repo="/data/{dataset}", output_repos=store)
    second = write("{dataset}-x", name, file="x.yaml", output_repos=["{dataset}-x.git"])
    given = {"studies": [second, first], "datasets": ["ds1", "ds2"]}
    chain = read_chain(given, tmp_path / "campaign.yaml", base=tmp_path)
    names = [(step.dataset, step.name) for step in chain.steps]
    assert [("ds1", "ds1-prep"), ("ds1", "ds1-x"), ("ds2", "ds2-prep"), ("ds2", "ds2-x")] == names
    assert "/data/ds1" == chain.steps[0].study.input_url
    # One store for all: the first dataset keeps it.
    write("{dataset}-x", name, file="x.yaml", output_repos=["x.git"])
    chain = read_chain(given, tmp_path / "campaign.yaml", base=tmp_path)
    assert ["ds1-prep", "ds1-x"] == [step.name for step in chain.steps]
    (problem,) = chain.refused["ds2"]
    assert "has the same output store, as for ds1" in problem.message
