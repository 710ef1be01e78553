"""Make the demo's BIDS dataset out of the MR images that come with nibabel.

    python demo/make_dataset.py demo/bids

Four subjects, two of them with sessions; each gets its own part of the two
images, so that their results differ.  A DataLad dataset: the images are
annexed, text is in git.
"""

import argparse
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nibabel
import numpy as np

IMAGES = Path(nibabel.__file__).parent / "tests" / "data"

# Subject -> sessions; None stands for a subject without any.
SUBJECTS = {"01": [None], "02": [None], "03": ["pre", "post"], "04": ["pre", "post"]}

REPETITION_TIME = 2.0  # seconds


def write_json(path: Path, value: dict) -> None:
    """Write a JSON sidecar."""
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_images(folder: Path, prefix: str, part: int) -> None:
    """Write the anatomical and functional image of one session."""
    (folder / "anat").mkdir(parents=True)
    (folder / "func").mkdir()
    anatomical = nibabel.load(IMAGES / "anatomical.nii").slicer[part : part + 24, part:, :]
    nibabel.save(anatomical, folder / "anat" / f"{prefix}_T1w.nii.gz")
    write_json(folder / "anat" / f"{prefix}_T1w.json", {"EchoTime": 0.003, "FlipAngle": 9})
    functional = nibabel.load(IMAGES / "functional.nii").slicer[..., part : part + 12]
    # Real units in the header: the validator compares them with the sidecar.
    data = np.asanyarray(functional.dataobj)
    header = functional.header.copy()
    header.set_xyzt_units("mm", "sec")
    header.set_zooms((*functional.header.get_zooms()[:3], REPETITION_TIME))
    name = f"{prefix}_task-rest_bold"
    nibabel.save(
        nibabel.Nifti1Image(data, functional.affine, header), folder / "func" / f"{name}.nii.gz"
    )
    write_json(folder / "func" / f"{name}.json", {"EchoTime": 0.03, "FlipAngle": 80})


def write_dataset(root: Path) -> None:
    """Write all files of the dataset."""
    write_json(
        root / "dataset_description.json",
        {
            "Name": "bidsloom demo",
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "License": "PDDL",
            "Authors": ["The nibabel developers (images)", "The bidsloom developers (layout)"],
        },
    )
    (root / "README.md").write_text(
        "# bidsloom demo\n\n"
        f"Parts of the two MR images in the test data of nibabel {version('nibabel')}, "
        "laid out as a BIDS dataset of four subjects.\n"
        "They serve to try a workflow and mean nothing.\n"
    )
    # Inherited by every bold series.
    write_json(
        root / "task-rest_bold.json",
        {"TaskName": "rest", "RepetitionTime": REPETITION_TIME, "Manufacturer": "unknown"},
    )
    rows = ["participant_id\tage\tsex"]
    for n, (subject, sessions) in enumerate(SUBJECTS.items()):
        rows.append(f"sub-{subject}\t{30 + n}\t{'MF'[n % 2]}")
        for m, session in enumerate(sessions):
            prefix = f"sub-{subject}" + (f"_ses-{session}" if session else "")
            folder = root / f"sub-{subject}" / (f"ses-{session}" if session else "")
            write_images(folder, prefix, part=2 * n + m)
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    columns = {
        "age": {"Description": "age in years"},
        "sex": {"Levels": {"M": "male", "F": "female"}},
    }
    write_json(root / "participants.json", columns)


def datalad(*arguments: str) -> None:
    """Run a DataLad command; its words are shown only where it fails."""
    done = subprocess.run(
        [Path(sys.executable).with_name("datalad"), "-l", "error", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="folder to make")
    target = parser.parse_args().target
    if (target / ".git" / "made").exists():
        print(f"{target} is there already")
        return
    if target.exists():
        # An interrupted run left half of it.
        subprocess.run(["chmod", "-R", "u+w", str(target)], check=True)
        shutil.rmtree(target)
    datalad("create", "-c", "text2git", str(target))
    write_dataset(target)
    datalad("save", "-d", str(target), "-m", "Lay out the images as a BIDS dataset")
    (target / ".git" / "made").touch()
    print(f"made {target}: {len(SUBJECTS)} subjects")


if __name__ == "__main__":
    main()
