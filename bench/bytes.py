"""Bytes that a job writes, against the least there is.

    python bench/bytes.py [--quick]

The app reads 1 GB and writes as much.  The least is three times that: the
input in the job's clone, the output there, and the output in the store.

Bytes are those that the job's processes handed to the disk's cache, as the
kernel counts them for an ended process and all its children (`ru_oublock`).  A
control group would count what reaches the disk, which is less where a file is
removed early; `write` calls would count pipes, too.  Files on a tmpfs count as
nothing, so all folders are on a disk.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml
from measure import PYTHON, REPOSITORY, Table, run_alone, run_measured
from study import APP, BenchStudy, label, make_study
from synthetic import git, make_dataset

# Copies its subject's images to the output, or by turns to two outputs.
COPY = """\
mkdir -p "$2/sub-$5" {second}/sub-$5
n=0
for image in "$1/sub-$5/anat/"*.nii.gz; do
    n=$((n + 1))
    if [ $((n % {every})) = 0 ]; then to={second}; else to=$2; fi
    cp -L "$image" "$to/sub-$5/"
done
rmdir {second}/sub-$5 2> /dev/null || true
"""
SECOND = "second"
STEPS = ("clone", "structure", "inputs", "run", "save", "push_content", "push_branch", "clean_up")
# The least, as a multiple of the bytes that the app reads.
LEAST = 3


@dataclass(frozen=True)
class Shape:
    """What is measured: so many files in the input, and where the output goes."""

    name: str
    files: int
    store_elsewhere: bool = False
    outputs: int = 1


def make_case(root: Path, shape: Shape, size: int) -> BenchStudy | None:
    """A prepared study of a shape; None where this machine cannot have it."""
    bids = make_dataset(root / "bids", 1, files=shape.files, content=1, content_size=size)
    store = mount_disk(root, size) if shape.store_elsewhere else root
    if store is None:
        return None
    study = make_study(root / "study", bids, output_url=str(store / "store.git"), prepare=False)
    config = yaml.safe_load(study.config.read_text())
    every = 2 if shape.outputs > 1 else shape.files + 1
    study.image.write_text(COPY.format(second=SECOND, every=every))
    if shape.outputs > 1:
        second = {"path": SECOND, "repo": str(root / "second.git")}
        config["container"]["outputs"] = [APP, second]
    study.config.write_text(yaml.safe_dump(config))
    prepare = study.snakemake("--cores", "1", "prepare_study", "list_subjects")
    run_measured(prepare, cwd=REPOSITORY)
    return study


def mount_disk(root: Path, size: int) -> Path | None:
    """Another file system, in a file; None where it cannot be mounted (only root can)."""
    image, folder = root / "disk", root / "mounted"
    folder.mkdir()
    with image.open("wb") as f:
        f.truncate(2 * size + 500_000_000)
    for command in (["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, folder]):
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
    return folder


def measure_shape(root: Path, shape: Shape, size: int) -> tuple[list[str], list[str]]:
    """The rows of a shape in both tables."""
    try:
        study = make_case(root, shape, size)
        if study is None:
            return [shape.name, "not measured: nothing can be mounted here", "", "", ""], []
        usage = run_measured(study.job(1), cwd=study.root)
        record = json.loads((study.results / "jobs" / f"sub-{label(1)}.json").read_text())
        seconds = record["seconds"]
    finally:
        if shape.store_elsewhere:
            subprocess.run(["umount", root / "mounted"], check=False, capture_output=True)
    least = LEAST * size / 1e6
    ratio = usage.written_mb / least
    met = "yes" if ratio <= 1.05 else "no"
    amounts = [f"{usage.written_mb:,.0f}", f"{least:,.0f}", f"{ratio:.3f} x"]
    steps = [f"{seconds.get(step, 0):.1f}" for step in STEPS]
    total = [f"{usage.wall:.1f}", f"{usage.cpu:.1f}"]
    return [shape.name, *amounts, "at most 1.05 x", met], [shape.name, *steps, *total]


def hashing(root: Path, size: int) -> str:
    """What the getting takes, beside copying and hashing the same bytes by other programs."""
    file, copy = root / "file", root / "copy"
    with file.open("wb") as f:
        f.truncate(size)
    copied = run_measured(["cp", "--sparse=never", file, copy], cwd=root)
    hashed = run_measured([PYTHON, "-c", HASH, copy], cwd=root)
    git("init", "-q", "repository", cwd=root)
    git("annex", "init", "-q", cwd=root / "repository")
    calckey = ["git", "annex", "calckey", "--backend=MD5E", copy]
    keyed = run_measured(calckey, cwd=root / "repository")
    copy.unlink()
    return (
        f"For comparison, CPU s for as many bytes in one file: `cp` {copied.cpu:.1f}, "
        f"MD5 by OpenSSL {hashed.cpu:.1f}, MD5 by git-annex (`calckey`) {keyed.cpu:.1f}."
    )


HASH = "import hashlib, sys; hashlib.file_digest(open(sys.argv[1], 'rb'), 'md5')"


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    size, files = (90_000_000, 30) if quick else (1_000_000_000, 300)
    each = f"{files} files of {size // files / 1e6:.0f} MB"
    shapes = [
        Shape("one file", 1),
        Shape(each, files),
        Shape(f"{each}, the store on another file system", files, store_elsewhere=True),
        Shape(f"{each}, half of them to a dataset of their own", files, outputs=2),
    ]
    amounts, steps = [], []
    for n, shape in enumerate(shapes):
        place = root / f"bytes-{n}"
        place.mkdir()
        amount, step = measure_shape(place, shape, size)
        amounts.append(amount)
        steps += [step] if step else []
        subprocess.run(["chmod", "-R", "u+w", place], check=False)
        subprocess.run(["rm", "-rf", place], check=False)
    return [
        Table(
            f"Bytes written by a job that reads and writes {size / 1e6:,.0f} MB",
            ["", "written (MB)", "the least (MB)", "against it", "target", "met"],
            amounts,
            "One run each. The least: the input in the clone, the output there, and the output "
            "in the store, once each.",
        ),
        Table(
            "Where a job of so many bytes spends its time",
            ["wall s", *(step.replace("_", " ") for step in STEPS), "in all", "CPU s"],
            steps,
            hashing(root, size),
        ),
    ]


if __name__ == "__main__":
    run_alone(tables, __doc__)
