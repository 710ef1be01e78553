"""A folder for a new study."""

import re

import pytest
import yaml
from bidsloom.base.errors import WorkflowFailure
from bidsloom.base.paths import EXAMPLES, PROFILES, SCHEMA_FILE
from bidsloom.chains.chain_file import read_chain
from bidsloom.config import read_config, read_study
from bidsloom.prepare.study_folder import list_apps, make_study


@pytest.mark.parametrize("app", [None, *list_apps()])
def test_its_config_is_valid(tmp_path, app):
    """Each config can be read, and leads editors to the schema by an absolute path."""
    make_study(tmp_path / "study", app=app)
    config = tmp_path / "study" / "config" / "config.yaml"
    assert read_study(read_config(config)).container.name == (app or "myapp")
    first = config.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA_FILE}"


def test_it_holds_what_snakemake_looks_for(tmp_path):
    """The profiles are copies to edit; `slurm` leads to one of them."""
    make_study(tmp_path / "study")
    for profile in ("profiles/default", "profiles/slurm", "slurm"):
        text = (tmp_path / "study" / profile / "config.yaml").read_text()
        assert text == (PROFILES / profile.split("/")[-1] / "config.yaml").read_text()
    assert not (tmp_path / "study" / "slurm").readlink().is_absolute()
    snakefile = (tmp_path / "study" / "Snakefile").read_text()
    assert {"onsuccess", "onerror"} == set(re.findall(r"study\.(\w+)\(\)", snakefile))


def test_a_chain_has_a_config_for_each_study(tmp_path):
    """They are read as a chain; the second one shows how it reads the first."""
    make_study(tmp_path / "study", chain=["fmriprep", "xcpd"])
    config = tmp_path / "study" / "config" / "config.yaml"
    chain = read_chain(read_config(config), config)
    assert ["mystudy-fmriprep", "mystudy-xcpd"] == [step.name for step in chain.steps]
    second = config.with_name("xcpd.yaml")
    comment = "  # inputs: [{study: mystudy-fmriprep, flag: --derivatives}]\n"
    assert comment in second.read_text()
    second.write_text(second.read_text().replace(comment, comment.replace("# ", "")))
    chain = read_chain(read_config(config), config)
    assert "sourcedata/mystudy-fmriprep" == chain.steps[1].study.further_inputs[0].path
    with pytest.raises(WorkflowFailure, match="twice"):
        make_study(tmp_path / "other", chain=["fmriprep", "fmriprep"])


def test_an_empty_folder_is_taken(tmp_path):
    make_study(tmp_path)
    assert (tmp_path / "Snakefile").exists()


@pytest.mark.parametrize("kind", ["full", "file", "link"])
def test_nothing_is_overwritten(tmp_path, kind):
    """A folder with a file in it, a file and a link to a folder are refused, and stay as they are."""
    folder = tmp_path / "study"
    if kind == "full":
        folder.mkdir()
        (folder / ".hidden").write_text("mine")
    elif kind == "file":
        folder.write_text("mine")
    else:
        (tmp_path / "empty").mkdir()
        folder.symlink_to(tmp_path / "empty")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(WorkflowFailure):
        make_study(folder)
    assert before == sorted(tmp_path.rglob("*"))


def test_every_example_has_a_name_to_type():
    assert list_apps() == sorted(yaml_file.stem for yaml_file in EXAMPLES.iterdir())
    assert all(yaml.safe_load(path.read_text()) for path in EXAMPLES.iterdir())
