#!/usr/bin/python3.11
"""A BIDS App for the step after FitLins: how large the effect is where there is one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

# Where the image has the packages of FitLins.
sys.path.insert(0, "/opt/fitlins")

import nibabel
import numpy as np

DESCRIPTION = {
    "Name": "regions",
    "BIDSVersion": "1.10.0",
    "DatasetType": "derivative",
    "GeneratedBy": [{"Name": "regions", "Version": "1.0"}],
}


def read_map(folder: Path, subject: str, name: str) -> np.ndarray:
    """One of FitLins' maps of a subject; ends the app where it is not the only one."""
    found = sorted(folder.rglob(f"{subject}_*stat-{name}_statmap.nii.gz"))
    if len(found) != 1:
        sys.exit(f"{subject} has {len(found)} maps of {name} in {folder}, not 1.")
    return nibabel.load(found[0]).get_fdata()


def main() -> None:
    """Write a table for each of the chosen subjects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bids_dir", type=Path)
    parser.add_argument("output_dir", type=Path)
    parser.add_argument("analysis_level", choices=["participant"])
    parser.add_argument("--participant-label", nargs="+", required=True)
    parser.add_argument("--derivatives", type=Path, required=True)
    parser.add_argument("--threshold", type=float, required=True)
    args = parser.parse_args()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    (args.output_dir / "dataset_description.json").write_text(json.dumps(DESCRIPTION))
    for label in args.participant_label:
        subject = f"sub-{label}"
        maps = args.derivatives / subject
        effect = read_map(maps, subject, "effect")
        active = abs(read_map(maps, subject, "z")) > args.threshold
        folder = args.output_dir / subject / "func"
        folder.mkdir(parents=True, exist_ok=True)
        lines = f"voxels\teffect\n{active.sum()}\t{effect[active].mean():.6f}\n"
        (folder / f"{subject}_desc-active_stat.tsv").write_text(lines)


main()
