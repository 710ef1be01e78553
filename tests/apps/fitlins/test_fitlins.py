"""FitLins, a real BIDS App, through the whole workflow: are its maps right?

`make test-apps` builds its image and runs these.
"""

from __future__ import annotations

import json
import shutil

import nibabel
import numpy as np
import pytest
from apps.fitlins import glm, planted
from helpers.studies import Workspace, git, run

pytestmark = pytest.mark.apps

FOLDER = "derivatives/fitlins"
MAPS = ("effect", "variance", "t", "z")
# The app convolves in steps of 0.1 s, half a step late.  Then pybids spreads
# the volumes evenly from the first step to the last, so that each volume's
# regressors are those of a time up to 0.9 s after it.
TIMES_OF_THE_APP = np.linspace(0, planted.VOLUMES * planted.REPETITION_TIME - 0.1, planted.VOLUMES)
TIMES_OF_THE_APP -= 0.05


def configuration(root, image) -> dict:
    """A study of the planted dataset by FitLins."""
    return {
        "study": "planted",
        "common": {"work_dir": "scratch disk"},
        "datalad": {
            "input_repo": str(root / "in put"),
            "output_repos": ["out put/store.git"],
            # The app's page tells of one run of it, and of its time.
            "shared_files": ["dataset_description.json", "reports/*.html"],
        },
        "container": {
            "name": "fitlins",
            "image": str(image),
            "runtime": "apptainer",
            "bids_args": {
                "analysis_level": "participant",
                "model": "model-planted_smdl.json",
                "space": planted.SPACE,
                "work-dir": "{work_dir}",
                "n-cpus": "{threads}",
            },
        },
    }


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, image) -> Workspace:
    """The finished study; tests only look at it."""
    root = tmp_path_factory.mktemp("fitlins") / "my study"
    (root / "scratch disk").mkdir(parents=True)
    run("datalad", "-l", "error", "create", "-c", "text2git", root / "in put", cwd=root)
    planted.write_dataset(root / "in put")
    run("datalad", "-l", "error", "save", "-m", "data", cwd=root / "in put")
    workspace = Workspace(root, configuration(root, image))
    workspace.snakemake(timeout=900)
    return workspace


@pytest.fixture(scope="module")
def dataset(workspace):
    """A clone of the output dataset with all its files."""
    clone = workspace.clone()
    run("datalad", "-l", "error", "get", FOLDER, cwd=clone)
    return clone


@pytest.fixture(params=planted.SUBJECTS, ids=lambda hidden: f"sub-{hidden.subject}")
def hidden(request):
    """One subject, and what is planted in it."""
    return request.param


@pytest.fixture
def maps(dataset, hidden) -> dict[str, np.ndarray]:
    """The subject's maps."""
    return read_maps(dataset, hidden)


def read_maps(dataset, hidden) -> dict[str, np.ndarray]:
    """The maps of the contrast, of all voxels."""
    subject = f"sub-{hidden.subject}"
    folder = dataset / FOLDER / "node-run" / subject
    files = {name: f"{subject}_contrast-square_stat-{name}_statmap.nii.gz" for name in MAPS}
    return {name: nibabel.load(folder / file).get_fdata() for name, file in files.items()}


def series(hidden) -> np.ndarray:
    """The voxels inside the brain as volumes x voxels, in percent of their means."""
    return glm.percent_change(planted.signal(hidden)[planted.brain()].T.astype(float))


def design(hidden, times) -> np.ndarray:
    """Blocks, movement and a mean, computed without the app."""
    columns = [planted.blocks(times), planted.movement(hidden.seed), np.ones(planted.VOLUMES)]
    return np.column_stack(columns)


def regions(hidden) -> tuple[np.ndarray, np.ndarray]:
    """Of the voxels in the brain: those with the planted effect, those without."""
    inside = hidden.inside[planted.brain()]
    return inside, ~inside


def test_every_subject_is_merged(workspace, hidden):
    """Each subject has its commit, and no branch is left."""
    assert workspace.branches() == ["base", "git-annex", "main"]
    unit = f"sub-{hidden.subject}"
    subject = ("log", "main", "--format=%s", f"--grep=Bidsloom-Unit: {unit}")
    assert git(*subject, cwd=workspace.store) == f"[DATALAD RUNCMD] fitlins {unit}"


def test_second_run_has_nothing_to_do(workspace):
    """Typing the command again computes nothing, also when `results/` is lost."""
    done = workspace.snakemake()
    assert "Nothing to be done" in done.stdout + done.stderr
    main = git("rev-parse", "main", cwd=workspace.store)
    run("chmod", "-R", "u+w", workspace.root / "results", cwd=workspace.root)
    shutil.rmtree(workspace.root / "results")
    listed = workspace.snakemake("-n")
    assert "Process sub-" not in listed.stdout + listed.stderr
    workspace.snakemake()
    assert main == git("rev-parse", "main", cwd=workspace.store)


def test_planted_effect_is_found(maps, hidden):
    """The mean effect is the planted one inside the region, and none outside."""
    inside, outside = regions(hidden)
    effect = maps["effect"][planted.brain()]
    # In percent of a mean that the effect itself moves.
    mean = 1 + hidden.amplitude / 100 * planted.blocks(planted.TIMES).mean()
    assert effect[inside].mean() == pytest.approx(hidden.amplitude / mean, rel=0.05)
    assert effect[outside].mean() == pytest.approx(0, abs=0.03)
    assert not maps["effect"][~planted.brain()].any()


def test_effect_agrees_with_least_squares(maps, hidden):
    """Ordinary least squares of the true design give the same map, within half a standard error."""
    effect = maps["effect"][planted.brain()]
    expected = glm.least_squares(design(hidden, planted.TIMES), series(hidden))[0]
    error = np.sqrt(maps["variance"][planted.brain()])
    assert (np.abs(effect - expected) < 0.5 * error).all()
    for region in regions(hidden):
        assert np.corrcoef(effect[region], expected[region])[0, 1] > 0.99


def test_regressors_are_right(dataset, hidden):
    """The design the app wrote is the one computed here."""
    folder = dataset / FOLDER / "node-run" / f"sub-{hidden.subject}"
    file = folder / f"{hidden.prefix}_design.tsv"
    assert file.read_text().splitlines()[0].split("\t")[:2] == ["trial_type.square", "trans_x"]
    written = np.loadtxt(file, skiprows=1)
    assert np.abs(written - design(hidden, TIMES_OF_THE_APP)).max() < 0.005


def test_maps_agree_with_prewhitened_least_squares(maps, hidden):
    """Effect and t of AR(1) models, at the times the app uses, are the app's."""
    effect, t = glm.prewhitened(design(hidden, TIMES_OF_THE_APP), series(hidden))
    for region in regions(hidden):
        np.testing.assert_allclose(
            maps["effect"][planted.brain()][region], effect[region], atol=0.01
        )
        np.testing.assert_allclose(maps["t"][planted.brain()][region], t[region], atol=0.3)


def test_scores_tell_the_region_from_noise(maps, hidden):
    """Every voxel of the region is significant, with its sign; outside z is standard normal."""
    inside, outside = regions(hidden)
    z = maps["z"][planted.brain()]
    assert (np.sign(hidden.amplitude) * z[inside]).min() > 4.5
    assert np.abs(z[outside]).max() < 4.5
    assert z[outside].mean() == pytest.approx(0, abs=0.2)
    assert z[outside].std() == pytest.approx(1, abs=0.15)
    expected = glm.normal_score(maps["t"][planted.brain()], freedom=planted.VOLUMES - 3)
    assert np.abs(z - expected)[outside].max() < 0.01
    assert np.abs(z / expected - 1)[inside].max() < 0.05


def test_bids_validator_finds_no_fault_of_the_study(workspace):
    """The output dataset is valid, and so are the descriptions; FitLins' own names are not BIDS."""
    found = json.loads((workspace.root / "results/planted/bids.json").read_text())
    assert "" == found["problem"]
    errors = [f for f in found["findings"] if f["severity"] == "error"]
    assert {FOLDER} == {f["dataset"] for f in errors}
    assert not [f for f in errors if "dataset_description" in f["example"]]
    described = git("show", f"main:{FOLDER}/dataset_description.json", cwd=workspace.store)
    app, workflow = json.loads(described)["GeneratedBy"]
    assert ("0.11.0", "apptainer") == (app["Version"], app["Container"]["Type"])
    assert "bidsloom" == workflow["Name"]


def test_rerun_gives_the_same_maps(workspace, dataset):
    """`datalad rerun` in a fresh clone fetches one subject and the image, and computes it again."""
    hidden = planted.SUBJECTS[0]
    clone = workspace.clone("again")
    found = ("log", "-1", "--format=%H", f"--grep=Bidsloom-Unit: sub-{hidden.subject}")
    run("datalad", "-l", "error", "rerun", git(*found, cwd=clone), cwd=clone, timeout=600)
    again = read_maps(clone, hidden)
    for name, values in read_maps(dataset, hidden).items():
        np.testing.assert_array_equal(again[name], values)
