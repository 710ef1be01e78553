"""Many jobs pushing at once to one store.

    python bench/push.py [--quick]

As many processes as jobs, each with its own clone and result, start to push
at the same moment: over the directory special remote onto the store as this
workflow does, with and without `datalad.lock_file`, and plainly by
`git annex copy` and `git push`.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from measure import PYTHON, REPOSITORY, Table, run_alone
from study import APP, BenchStudy, label, make_study
from synthetic import git, lower_folder, make_dataset

PUSHER = REPOSITORY / "bench" / "pusher.py"


@dataclass(frozen=True)
class Push:
    """What came of one round of pushes."""

    wall: float
    slowest: float
    failed: int
    lost: int


def push_at_once(study: BenchStudy, jobs: int, *options: str) -> Push:
    """Let all jobs push at the same moment, and look at what arrived."""
    processes, folders = [], []
    for n in range(1, jobs + 1):
        folders.append(study.scratch / f"job-{n}")
        processes.append(start_pusher(study, n, folders[-1], *options))
        if n % 4 == 0:
            wait_for(folders, processes)
    wait_for(folders, processes)
    (study.scratch / "go").touch()
    start = time.monotonic()
    failed = sum(process.wait() != 0 for process in processes)
    wall = time.monotonic() - start
    seconds = [float(path.read_text()) for path in study.scratch.glob("job-*/pushed")]
    lost = sum(is_lost(study, n) for n in range(1, jobs + 1))
    return Push(wall, max(seconds, default=0.0), failed, lost)


def start_pusher(study: BenchStudy, n: int, folder: Path, *options: str) -> subprocess.Popen:
    """One job; its words stand beside its folder."""
    with folder.with_suffix(".log").open("w") as out:
        return subprocess.Popen(
            [PYTHON, PUSHER, study.config, f"sub-{label(n)}", folder, *options],
            cwd=study.root,
            stdout=out,
            stderr=out,
        )


def wait_for(folders: list[Path], processes: list[subprocess.Popen]) -> None:
    """Wait until every started job is ready to push."""
    while not all((folder / "ready").exists() for folder in folders):
        for folder, process in zip(folders, processes, strict=True):
            if process.poll():
                for other in processes:
                    other.kill()
                raise RuntimeError(folder.with_suffix(".log").read_text())
        time.sleep(0.05)


def is_lost(study: BenchStudy, n: int) -> bool:
    """True where a job's branch, or content it names, is not whole in the store."""
    branch = f"refs/heads/job/{APP}/sub-{label(n)}"
    folder = f"{APP}/sub-{label(n)}/"
    try:
        git("rev-list", "--objects", "--quiet", branch, cwd=study.store)
        lines = git("ls-tree", branch, folder, cwd=study.store).splitlines()
        links = [line.split()[2] for line in lines if line.startswith("120000")]
        keys = [git("cat-file", "blob", link, cwd=study.store).split("/")[-1] for link in links]
    except subprocess.CalledProcessError:
        return True
    objects = study.store / "annex" / "objects"
    sizes = [(objects / lower_folder(key) / key / key) for key in keys]
    return len(keys) != 2 or not all(path.is_file() and path.stat().st_size for path in sizes)


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    jobs = 8 if quick else 32
    bids = make_dataset(root / "bids", jobs)
    variants = {
        "directory remote, no lock": ("", ()),
        "directory remote, datalad.lock_file": (str(root / "lock"), ()),
        "git annex copy and git push": ("", ("plain",)),
    }
    rows = []
    for n, (name, (lock_file, options)) in enumerate(variants.items()):
        study = make_study(root / f"study-{n}", bids, lock_file=lock_file)
        push = push_at_once(study, jobs, *options)
        met = "yes" if push.failed + push.lost == 0 else "no"
        figures = [f"{push.wall:.1f}", f"{jobs / push.wall:.1f}", f"{push.slowest:.1f}"]
        rows.append([name, *figures, push.failed, push.lost, "none of both", met])
    return [
        Table(
            f"{jobs} jobs push at once to one store",
            ["", "wall s", "pushes a second", "slowest push (s)", "failed", "lost", "target"]
            + ["met"],
            rows,
            "One round each; two annexed files and one in git. On this machine all jobs share "
            "its CPUs, which is what bounds the throughput.",
        )
    ]


if __name__ == "__main__":
    run_alone(tables, __doc__)
