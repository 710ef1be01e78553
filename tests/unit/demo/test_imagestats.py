"""The demo's BIDS App against nibabel and NumPy, on nibabel's own images."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from helpers.studies import REPOSITORY, run

APP = REPOSITORY / "demo" / "imagestats.py"


@pytest.fixture
def derivatives(tmp_path):
    """The app's results for one subject with both of nibabel's images."""
    images = Path(nibabel.__file__).parent / "tests" / "data"
    for kind, suffix in (
        ("anatomical", "anat/sub-1_T1w"),
        ("functional", "func/sub-1_task-r_bold"),
    ):
        target = tmp_path / "bids" / "sub-1" / f"{suffix}.nii.gz"
        target.parent.mkdir(parents=True)
        nibabel.save(nibabel.load(images / f"{kind}.nii"), target)
    command = ["python", "-I", APP, "bids", "out", "participant", "--participant-label", "1"]
    run(*command, cwd=tmp_path)
    return tmp_path


def test_statistics_are_numpys(derivatives):
    """Mean, deviation and histogram of every voxel."""
    data = nibabel.load(derivatives / "bids/sub-1/anat/sub-1_T1w.nii.gz").get_fdata()
    told = json.loads((derivatives / "out/sub-1/anat/sub-1_desc-stats_T1w.json").read_text())
    assert list(data.shape) == told["Shape"]
    assert pytest.approx(data.mean()) == told["Mean"]
    assert pytest.approx(data.std()) == told["StandardDeviation"]
    assert np.histogram(data, 16)[0].tolist() == told["Histogram"]


def test_map_is_numpys(derivatives):
    """Temporal signal-to-noise, on the grid of the series."""
    series = nibabel.load(derivatives / "bids/sub-1/func/sub-1_task-r_bold.nii.gz")
    told = nibabel.load(derivatives / "out/sub-1/func/sub-1_task-r_stat-tsnr_boldmap.nii.gz")
    data = series.get_fdata()
    deviation = data.std(axis=-1)
    wanted = np.divide(
        data.mean(axis=-1), deviation, out=np.zeros_like(deviation), where=deviation > 0
    )
    assert np.allclose(series.affine, told.affine)
    assert np.allclose(wanted, told.get_fdata(), rtol=1e-5)


def test_same_bytes_each_time(derivatives):
    """No time stamp, no path: what a rerun must reproduce."""

    def contents():
        files = sorted(p for p in (derivatives / "out").rglob("*") if p.is_file())
        return [(p.name, p.read_bytes()) for p in files]

    before = contents()
    run(
        "python",
        "-I",
        APP,
        "bids",
        "out",
        "participant",
        "--participant-label",
        "sub-1",
        cwd=derivatives,
    )
    assert before == contents()


def test_absent_subject_is_an_error(derivatives):
    """Exit code 2, and a word on what was looked for."""
    done = run(
        "python",
        "-I",
        APP,
        "bids",
        "out",
        "participant",
        "--participant-label",
        "9",
        cwd=derivatives,
        check=False,
    )
    assert done.returncode == 2
    assert "sub-9 has no images" in done.stderr
