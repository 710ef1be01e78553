"""A small fMRI dataset whose activation is known.

Two subjects look at squares in blocks.
In one cuboid of voxels the BOLD signal follows the blocks with a known
amplitude, in percent of the mean; elsewhere there is none.
Everywhere there is autocorrelated noise, and a head movement that changes the
signal.
All that is computed here is NumPy's: no code is shared with the app under test.
"""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

TASK = "squares"
SPACE = "MNI152NLin2009cAsym"
SHAPE = (12, 12, 6)
VOLUMES = 200
REPETITION_TIME = 1.0
TIMES = np.arange(VOLUMES) * REPETITION_TIME
ONSETS = tuple(range(10, 190, 30))
DURATION = 15.0
BASELINE = 1000.0
NOISE = 10.0
AUTOCORRELATION = 0.3
MOVEMENT = 8.0

# What the app fits: blocks convolved with SPM's response, the movement, a mean.
MODEL = {
    "Name": "planted",
    "BIDSModelVersion": "1.0.0",
    "Input": {"task": [TASK]},
    "Nodes": [
        {
            "Level": "Run",
            "Name": "run",
            "GroupBy": ["run", "subject"],
            "Transformations": {
                "Transformer": "pybids-transforms-v1",
                "Instructions": [
                    {"Name": "Factor", "Input": ["trial_type"]},
                    {"Name": "Convolve", "Input": ["trial_type.square"], "Model": "spm"},
                ],
            },
            "Model": {"X": ["trial_type.square", "trans_x", 1], "Type": "glm"},
            "Contrasts": [
                {
                    "Name": "square",
                    "ConditionList": ["trial_type.square"],
                    "Weights": [1],
                    "Test": "t",
                }
            ],
        }
    ],
}


@dataclass(frozen=True)
class Planted:
    """What is hidden in one subject's images: `amplitude` percent inside `region`."""

    subject: str
    amplitude: float
    region: tuple[slice, slice, slice]
    seed: int

    @property
    def inside(self) -> np.ndarray:
        """Voxels that hold the effect."""
        mask = np.zeros(SHAPE, bool)
        mask[self.region] = True
        return mask

    @property
    def prefix(self) -> str:
        return f"sub-{self.subject}_task-{TASK}"


SUBJECTS = (
    Planted("01", amplitude=2.0, region=np.s_[2:6, 3:8, 2:5], seed=1),
    Planted("02", amplitude=-1.5, region=np.s_[6:11, 2:6, 1:4], seed=2),
)


def brain() -> np.ndarray:
    """Voxels that are not air: all but the outermost layer."""
    mask = np.zeros(SHAPE, bool)
    mask[1:-1, 1:-1, 1:-1] = True
    return mask


def response(seconds: np.ndarray) -> np.ndarray:
    """SPM's canonical haemodynamic response: two gamma densities, with an integral of 1."""
    seconds = np.maximum(seconds, 0)
    peak = seconds**5 * np.exp(-seconds) / math.factorial(5)
    undershoot = seconds**15 * np.exp(-seconds) / math.factorial(15)
    return (peak - undershoot / 6) / (1 - 1 / 6)


def blocks(times: np.ndarray, step: float = 0.02) -> np.ndarray:
    """The blocks convolved with the response, at some times in seconds."""
    fine = np.arange(0, VOLUMES * REPETITION_TIME, step)
    on = np.zeros_like(fine)
    for onset in ONSETS:
        on[(fine >= onset) & (fine < onset + DURATION)] = 1
    convolved = np.convolve(on, response(np.arange(0, 32, step)) * step)[: len(fine)]
    return np.interp(times, fine, convolved)


def movement(seed: int) -> np.ndarray:
    """A slow drift of the head, with a mean of 0 and a deviation of 1."""
    steps = np.random.default_rng(seed + 100).normal(size=VOLUMES)
    walk = np.cumsum(steps)
    return (walk - walk.mean()) / walk.std()


def noise(seed: int) -> np.ndarray:
    """First-order autoregressive noise, seeded."""
    steps = np.random.default_rng(seed).normal(size=(*SHAPE, VOLUMES))
    drawn = steps.copy()
    for volume in range(1, VOLUMES):
        drawn[..., volume] = AUTOCORRELATION * drawn[..., volume - 1] + (
            math.sqrt(1 - AUTOCORRELATION**2) * steps[..., volume]
        )
    return NOISE * drawn


def signal(planted: Planted) -> np.ndarray:
    """The 4D image of one subject."""
    effect = BASELINE * planted.amplitude / 100 * planted.inside
    moved = BASELINE + noise(planted.seed) + MOVEMENT * movement(planted.seed)
    return ((moved + effect[..., None] * blocks(TIMES)) * brain()[..., None]).astype("f4")


def write_image(path: Path, data: np.ndarray) -> None:
    """A NIfTI file of 3 mm voxels."""
    image = nibabel.Nifti1Image(data, np.diag([3.0, 3.0, 3.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    if data.ndim == 4:
        image.header.set_zooms((3, 3, 3, REPETITION_TIME))
    image.to_filename(path)


def write_subject(root: Path, planted: Planted) -> None:
    """One subject as a preprocessing app leaves it, with its events."""
    folder = root / f"sub-{planted.subject}" / "func"
    folder.mkdir(parents=True)
    space = f"{planted.prefix}_space-{SPACE}"
    write_image(folder / f"{space}_desc-preproc_bold.nii.gz", signal(planted))
    write_image(folder / f"{space}_desc-brain_mask.nii.gz", brain().astype("u1"))
    sidecar = {"RepetitionTime": REPETITION_TIME, "TaskName": TASK}
    (folder / f"{space}_desc-preproc_bold.json").write_text(json.dumps(sidecar))
    write_events(folder, planted)
    rows = ["trans_x", *(f"{x:.9f}" for x in movement(planted.seed))]
    confounds = folder / f"{planted.prefix}_desc-confounds_timeseries.tsv"
    confounds.write_text("\n".join(rows) + "\n")


def write_raw_subject(root: Path, planted: Planted) -> None:
    """One subject as a scanner leaves it, with a recording of the head's movement."""
    folder = root / f"sub-{planted.subject}" / "func"
    folder.mkdir(parents=True)
    write_image(folder / f"{planted.prefix}_bold.nii.gz", signal(planted))
    sidecar = {"RepetitionTime": REPETITION_TIME, "TaskName": TASK}
    (folder / f"{planted.prefix}_bold.json").write_text(json.dumps(sidecar))
    write_events(folder, planted)
    recording = f"{planted.prefix}_recording-camera_physio"
    columns = {"SamplingFrequency": 1 / REPETITION_TIME, "StartTime": 0.0, "Columns": ["trans_x"]}
    (folder / f"{recording}.json").write_text(json.dumps(columns))
    with gzip.open(folder / f"{recording}.tsv.gz", "wt") as file:
        file.writelines(f"{x:.9f}\n" for x in movement(planted.seed))


def write_events(folder: Path, planted: Planted) -> None:
    """When a subject saw the squares."""
    events = ["onset\tduration\ttrial_type", *(f"{o}\t{DURATION}\tsquare" for o in ONSETS)]
    (folder / f"{planted.prefix}_events.tsv").write_text("\n".join(events) + "\n")


def write_dataset(root: Path, *, raw: bool = False) -> None:
    """A whole derivative dataset, or a raw one, with the model of its analysis."""
    description: dict = {"Name": "planted", "BIDSVersion": "1.10.0"}
    if not raw:
        description |= {"DatasetType": "derivative", "GeneratedBy": [{"Name": "planted"}]}
    (root / "dataset_description.json").write_text(json.dumps(description))
    (root / "model-planted_smdl.json").write_text(json.dumps(MODEL, indent=1))
    rows = ["participant_id", *(f"sub-{planted.subject}" for planted in SUBJECTS)]
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    for planted in SUBJECTS:
        (write_raw_subject if raw else write_subject)(root, planted)
