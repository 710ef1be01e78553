#!/usr/bin/python3.11
"""A BIDS App for the step before FitLins: images in a standard space, a mask, confounds.

The images are in that space already; the movement is what a camera recorded.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

# Where the image has the packages of FitLins.
sys.path.insert(0, "/opt/fitlins")

import nibabel
import numpy as np

DESCRIPTION = {
    "Name": "prepared",
    "BIDSVersion": "1.10.0",
    "DatasetType": "derivative",
    "GeneratedBy": [{"Name": "prepare", "Version": "1.0"}],
}


def read_movement(recording: Path, times: np.ndarray) -> np.ndarray:
    """The recorded movement at some times in seconds."""
    sidecar = json.loads(recording.with_name(f"{recording.name.split('.')[0]}.json").read_text())
    values = np.loadtxt(recording)
    seen = sidecar["StartTime"] + np.arange(len(values)) / sidecar["SamplingFrequency"]
    return np.interp(times, seen, values)


def prepare(image: Path, target: Path, space: str) -> None:
    """Write what FitLins reads of one run into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    name = image.name.removesuffix("_bold.nii.gz")
    sidecar = json.loads((image.parent / f"{name}_bold.json").read_text())
    start = f"{name}_space-{space}"
    shutil.copyfile(image, target / f"{start}_desc-preproc_bold.nii.gz")
    (target / f"{start}_desc-preproc_bold.json").write_text(json.dumps(sidecar))
    bold = nibabel.load(image)
    data = bold.get_fdata(dtype=np.float32)
    mask = nibabel.Nifti1Image((data.min(axis=3) > 0).astype("u1"), bold.affine)
    mask.to_filename(target / f"{start}_desc-brain_mask.nii.gz")
    times = np.arange(data.shape[3]) * sidecar["RepetitionTime"]
    movement = read_movement(image.parent / f"{name}_recording-camera_physio.tsv.gz", times)
    rows = ["trans_x", *(f"{x:.9f}" for x in movement)]
    (target / f"{name}_desc-confounds_timeseries.tsv").write_text("\n".join(rows) + "\n")


def main() -> None:
    """Prepare all runs of the chosen subjects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bids_dir", type=Path)
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("analysis_level", choices=["participant"])
    parser.add_argument("--participant-label", nargs="+", required=True)
    parser.add_argument("--space", required=True)
    args = parser.parse_args()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    (args.output_dir / "dataset_description.json").write_text(json.dumps(DESCRIPTION))
    for label in args.participant_label:
        subject = f"sub-{label}"
        images = sorted((args.bids_dir / subject).rglob("*_bold.nii.gz"))
        if not images:
            sys.exit(f"{subject} has no BOLD images.")
        for image in images:
            prepare(image, args.output_dir / image.parent.relative_to(args.bids_dir), args.space)


main()
