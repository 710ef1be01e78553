"""Paths and URLs of a configuration, alone and together."""

import copy
import os

import pytest
from bidsloom.base.errors import ConfigFailure
from bidsloom.config import read_study

BASE = {
    "study": "s",
    "common": {"work_dir": "scratch"},
    "datalad": {"input_repo": "in", "output_repos": ["out.git"]},
    "container": {"name": "app", "image": "x.sif", "runtime": "apptainer"},
}


@pytest.fixture
def base(tmp_path):
    """A folder with an input."""
    for name in ("in", "scratch"):
        (tmp_path / name).mkdir()
    return tmp_path


def config_with(**sections):
    """The configuration with keys of sections changed."""
    config = copy.deepcopy(BASE)
    for section, keys in sections.items():
        config.setdefault(section, {}).update(keys)
    return config


def faults(base, **sections) -> str:
    """All faults in one text; empty without one."""
    try:
        read_study(config_with(**sections), base=base)
    except ConfigFailure as e:
        assert all(problem.hint for problem in e.problems)
        return "\n".join(str(problem) for problem in e.problems)
    return ""


def test_the_configuration_these_tests_start_from_is_good(base):
    """Nothing below fails for another reason."""
    assert "" == faults(base)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"common": {"work_dir": "~nouser/x"}}, "common.work_dir is '~nouser/x', whose home"),
        ({"datalad": {"input_repo": "~nouser/x"}}, "datalad.input_repo"),
        ({"datalad": {"output_repos": ["~nouser/x"]}}, "datalad.output_repos.0"),
        ({"container": {"binds": ["~nouser/x:/x"]}}, "container.binds.0"),
        ({"container": {"expects": "~nouser/x.yaml"}}, "container.expects"),
        ({"notify": {"urls_file": "~nouser/x"}}, "notify.urls_file is not valid, whose home"),
        ({"datalad": {"output_repos": ["a\0b"]}}, "datalad.output_repos.0 holds a null"),
        ({"datalad": {"output_repos": ["a\nb"]}}, "datalad.output_repos.0 is 'a\\nb', which holds"),
        ({"datalad": {"output_repos": ["x" * 300]}}, "so long a name"),
        ({"datalad": {"input_repo": "/x" * 3000}}, "so long a name"),
        ({"datalad": {"input_repo": "ext::sh -c touch% x"}}, "git runs a program"),
        ({"datalad": {"input_repo": "-oProxyCommand=x:y"}}, "for an option"),
        ({"datalad": {"output_repos": ["ssh://-oProxyCommand=x/y"]}}, "for an option"),
        ({"datalad": {"output_repos": ["http://[x/y"]}}, "which is no URL"),
        ({"datalad": {"output_repos": ["ria+file:///tmp/s#~../../x"]}}, "neither an alias"),
        ({"datalad": {"output_repos": ["ria+file:///tmp/s#~%2e%2e%2fx"]}}, "neither an alias"),
        ({"datalad": {"output_repos": ["ria+file:///tmp/s#../../x"]}}, "neither an alias"),
        ({"datalad": {"input_version": "--upload-pack=x"}}, "datalad.input_version"),
        ({"container": {"dataset": "c", "image": "../x.sif"}}, "a path inside container.dataset"),
        ({"datalad": {"output_repos": ["in/derivatives.git"]}}, "one is inside the other"),
        ({"datalad": {"output_repos": ["in"]}}, "the same folder"),
        ({"datalad": {"output_repos": ["file:///"]}}, "one is inside the other"),
        ({"datalad": {"output_repos": ["results/store.git"]}}, "is inside"),
        ({"datalad": {"import_folder": "results/x"}}, "results name the datasets"),
        ({"datalad": {"import_folder": "~nouser/x"}}, "datalad.import_folder"),
        (
            {"datalad": {"inputs": [{"repo": "/d/{subject}/{session}", "path": "prep"}]}},
            "datalad.inputs.0.repo is '/d/{subject}/{session}', which holds another brace",
        ),
        ({"datalad": {"output_repos": ["results/s/dataset"]}}, "is inside"),
        ({"datalad": {"output_repos": ["link"]}}, "one is inside the other"),
        ({"common": {"work_dir": "in"}}, "common.work_dir"),
        ({"common": {"work_dir": "in/sub"}}, "or is inside it"),
        ({"common": {"work_dir": "out.git"}}, "or is inside it"),
        ({"datalad": {"lock_file": "in"}}, "which is a folder"),
        ({"datalad": {"lock_file": "fifo"}}, "which is a fifo"),
        ({"subjects": {"include": "fifo"}}, "subjects.include is 'fifo', which is a fifo"),
        ({"subjects": {"exclude": "/dev/zero"}}, "which is a device"),
        ({"container": {"image": "fifo"}}, "container.image is 'fifo', which is a fifo"),
        ({"container": {"expects": "./fifo.yaml"}}, "which is a fifo"),
        ({"container": {"freesurfer_license": "fifo"}}, "which is a fifo"),
    ],
)
def test_a_bad_place_is_named_with_its_key(base, sections, words):
    """Found before anything is written, and nothing waits for a fifo."""
    (base / "link").symlink_to("in")
    os.mkfifo(base / "fifo")
    os.mkfifo(base / "fifo.yaml")
    assert words in faults(base, **sections)


@pytest.mark.parametrize(
    "other",
    [
        "./out.git",
        "out.git/",
        "link/../out.git",
        "file://{base}/out.git",
        "{base}//out.git",
        "same",
    ],
)
def test_one_store_under_two_spellings(base, other):
    """Two outputs never share a store."""
    (base / "link").symlink_to("in")
    (base / "same").symlink_to("out.git")
    (base / "out.git").mkdir()
    stores = ["out.git", other.format(base=base)]
    assert "are the same repository" in faults(
        base, datalad={"output_repos": stores}, container={"outputs": ["a", "b"]}
    )


def test_one_remote_store_under_two_spellings(base):
    """A slash, `.git` and the host's case make no difference."""
    stores = ["https://Host/lab/out.git", "https://host/lab//out/"]
    said = faults(base, datalad={"output_repos": stores}, container={"outputs": ["a", "b"]})
    assert "are the same repository" in said


def test_aliases_in_one_ria_store_are_apart(base):
    """The input and both outputs may be in one RIA store."""
    store = f"ria+file://{base}/store"
    given = {"input_repo": f"{store}#~raw@v1", "output_repos": [f"{store}#~a", f"{store}#~b"]}
    assert "" == faults(base, datalad=given, container={"outputs": ["a", "b"]})


@pytest.mark.parametrize(
    "name",
    ["README.md", "-x", "dataset_description.json", ".git", "code", "code/x", ".datalad", "sub-01"]
    + [
        "sourcedata",
        "sourcedata/raw",
        "sourcedata/raw/x",
        "../x",
        "a/../b",
        "a\n",
        "README",
        "a" * 201,
    ],
)
def test_names_that_are_the_datasets_own(base, name):
    """An output there would overwrite what makes it a dataset."""
    assert "container.outputs" in faults(base, container={"outputs": [name]})


def test_the_place_of_freesurfer_is_no_such_name(base):
    """FMRIPrep's own layout."""
    assert "" == faults(base, container={"outputs": ["fmriprep", "sourcedata/freesurfer"]})
