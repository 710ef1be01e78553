"""A whole study on SLURM: BABS, FAIRly-big's commands as a plain array, and bidsloom.

    python bench/peers.py [--quick]

On one cluster that has two places for jobs, each contestant runs the same app
in the same image over the same subjects, from nothing to merged results, one
after the other in several rounds.  BABS and the plain array have programs of
their own, pinned in `peers-requirements.txt`; `make bench-peers` installs them.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median

from contestants import BABS, CONTESTANTS, PEERS, PLAIN_ARRAY, Contestant, Ground, Run
from measure import REPOSITORY, Table, program_version, ratio_of, run_alone, run_measured
from slurm_job import SHARED, Cluster, read_usage, running_cluster
from study import APP, label
from synthetic import git, make_dataset

sys.path.insert(0, str(REPOSITORY / "tests"))

from helpers.cluster import missing_programs
from helpers.images import make_sif

ROUNDS = 2
# A load of more than this for each CPU is not the benchmark's own.
BUSY = 2

# What a contestant needs beside SLURM -> what brings it.
NEEDED = {
    "singularity": "squashfs-tools and patchelf (apt-get), then run tests/install_packages.sh",
    "mksquashfs": "squashfs-tools (apt-get)",
    "busybox": "busybox-static (apt-get)",
    "7z": "p7zip-full (apt-get)",
    str(PEERS / "babs"): "bench/peers-requirements.txt (make bench-peers does)",
}

# Copies its subject's images; BABS names the subject with `sub-`, the others without.
RUNSCRIPT = """\
#!/bin/sh
unit="sub-${5#sub-}"
mkdir -p "$2/$unit"
cp -L "$1/$unit/anat/"*.nii.gz "$2/$unit/"
"""


def measure(ground: Ground, contestant: Contestant, root: Path) -> Run:
    """Run a contestant in a folder of its own, and count what its jobs took."""
    (root / "scratch").mkdir(parents=True)
    known = set(read_usage(ground.cluster))
    ground.submissions.write_text("")
    run = contestant(ground, root)
    run.load = os.getloadavg()[0]
    # Accounting hears of an end a moment later.
    time.sleep(3)
    jobs = [job for number, job in read_usage(ground.cluster).items() if number not in known]
    run.job_cpu = sum(job.cpu for job in jobs)
    run.submissions = len(ground.submissions.read_text().splitlines())
    return run


def make_image(root: Path) -> Path:
    """The app in a small Apptainer image: a shell and a script."""
    system = root / "system"
    for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "var/tmp", ".singularity.d"):
        (system / name).mkdir(parents=True)
    shutil.copy2(str(shutil.which("busybox")), system / "bin" / "busybox")
    for name in ("sh", "mkdir", "cp"):
        (system / "bin" / name).symlink_to("busybox")
    etc = {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n"}
    for name, content in (etc | {"hosts": "", "resolv.conf": ""}).items():
        (system / "etc" / name).write_text(content)
    runscript = system / ".singularity.d" / "runscript"
    runscript.write_text(RUNSCRIPT)
    runscript.chmod(0o755)
    return make_sif(system, root / "app.sif")


def make_ground(root: Path, cluster: Cluster, units: int) -> Ground:
    """The input, the image also as a DataLad dataset, and a cluster that counts submissions."""
    image = make_image(root)
    images = root / "images"
    run_measured(["datalad", "create", images], cwd=root)
    run_measured(["datalad", "containers-add", "--url", image, APP], cwd=images)
    bids = make_dataset(root / "bids", units, files=4, content=units)
    ground = Ground(root, cluster, bids, image, images, units)
    sbatch = cluster.root / "bin" / "sbatch"
    text = sbatch.read_text().replace("\nexec ", f"\necho call >> '{ground.submissions}'\nexec ")
    sbatch.write_text(text)
    return ground


def check_machine() -> None:
    """Raise where the machine lacks a program, and say what to install."""
    missing = [f"{name}: install {what}" for name, what in NEEDED.items() if not shutil.which(name)]
    if cluster := missing_programs():
        missing.append(f"{', '.join(cluster)}: run tests/install_packages.sh")
    if missing:
        raise SystemExit("Programs are missing.\n" + "\n".join(missing))


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    check_machine()
    units = 4 if quick else 2 * SHARED
    rounds = 1 if quick else ROUNDS
    runs: dict[str, list[Run]] = {name: [] for name in CONTESTANTS}
    # Two places for jobs, so that all contestants have two jobs at a time.
    with running_cluster(root / "cluster", nodes=2, cpus=1) as cluster:
        ground = make_ground(root, cluster, units)
        for n in range(rounds):
            for k, (name, contestant) in enumerate(CONTESTANTS.items()):
                run = measure(ground, contestant, root / f"round-{n}" / f"{k}")
                runs[name].append(run)
                print(f"round {n + 1}, {name}: {run}", file=sys.stderr, flush=True)
    return [jobs_table(runs, units, app_cpu(ground)), study_table(runs, units)]


def app_cpu(ground: Ground) -> float:
    """Median CPU seconds of the container with the app."""
    git("checkout", "-q", "-f", "main", cwd=ground.bids)
    out = ground.root / "out"
    words = ["singularity", "run", "-B", ground.root, ground.image, ground.bids, out]
    words += ["participant", "--participant-label", label(1)]
    return median(run_measured(words, cwd=ground.root).cpu for _ in range(5))


def jobs_table(runs: dict[str, list[Run]], units: int, app: float) -> Table:
    """CPU seconds of the jobs, and how they were submitted."""
    targets = {name: 0.35 for name in runs if name.startswith("bidsloom")}
    targets[f"bidsloom, {SHARED} units a job"] = 0.22
    reference = mean(run.job_cpu for run in runs[PLAIN_ARRAY]) / units
    rows = []
    for name, own in runs.items():
        value = mean(run.job_cpu for run in own) / units
        cells = ratio_of(value, reference, targets.get(name, 1))
        rows.append(
            [name, of_rounds(run.job_cpu / units for run in own), f"{value:.2f}"]
            + (cells if name in targets else [cells[0], "", ""])
            + [" / ".join(str(run.submissions) for run in own)]
        )
    return Table(
        f"Jobs of {units} units",
        ["", "CPU s a unit, by round", "mean", "against the array", "target", "met"]
        + ["sbatch calls"],
        rows,
        "SLURM's own count, of all jobs. "
        f"The container with the app is in it, and takes {app:.2f} CPU s by itself.",
    )


def study_table(runs: dict[str, list[Run]], units: int) -> Table:
    """Wall seconds of the whole, and CPU seconds of what ran beside the jobs."""
    reference = mean(run.wall for run in runs[BABS])
    rows = []
    for name, own in runs.items():
        cells = ratio_of(mean(run.wall for run in own), reference, 0.4)
        rows.append(
            [name, of_rounds((run.wall for run in own), 0)]
            + (cells if name.startswith("bidsloom") else [cells[0], "", ""])
            + [of_rounds((run.own_cpu for run in own), 0), of_rounds((run.load for run in own), 0)]
        )
    parts = [
        f"{name}: " + ", ".join(f"{step} {of_rounds(values, 0)}" for step, values in steps.items())
        for name, steps in ((name, seconds_of_steps(own)) for name, own in runs.items())
        if len(steps) > 1
    ]
    babs = program_version(str(PEERS / "babs"), "--version").split()[-1].lstrip("v")
    cpus = os.cpu_count() or 1
    loads = [run.load for own in runs.values() for run in own]
    busy = "Measured on a busy machine. " if median(loads) > BUSY * cpus else ""
    return Table(
        f"{units} units, from nothing to merged",
        ["two jobs at a time", "wall s, by round", "against BABS", "target", "met"]
        + ["CPU s beside the jobs", "load"],
        rows,
        f"BABS {babs}; all use the same Apptainer image and git-annex. "
        "The queue of BABS and of the array is looked at every second until it is empty, and the "
        "next command starts then. Both clone the dataset that holds the image in each job. "
        "BABS makes one zip file of a unit's results; bidsloom also writes its report. "
        f"Wall s of the steps: {'; '.join(parts)}. "
        f"{busy}Load: of the last minute of a run, on {cpus} CPUs.",
    )


def seconds_of_steps(runs: list[Run]) -> dict[str, list[float]]:
    """Step -> its wall seconds in each round."""
    return {step: [run.seconds[step] for run in runs] for step in runs[0].seconds}


def of_rounds(values: Iterable[float], digits: int = 2) -> str:
    """The values of all rounds in one cell."""
    return " / ".join(f"{value:.{digits}f}" for value in values)


if __name__ == "__main__":
    run_alone(tables, __doc__)
