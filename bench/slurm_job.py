"""A whole SLURM job of a trivial app, and what Snakemake's starts in it cost.

    python bench/slurm_job.py [--quick]

On a real cluster.  SLURM tells the CPU time of each step of a job: Snakemake
starts once in the batch script and once more in a step of its own, which also
runs the job.  What the job takes is measured without SLURM and subtracted.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from job import job_case, measure_app
from measure import REPOSITORY, Table, interleave, ratio_of, run_alone, run_measured
from study import APP, BenchStudy, label, make_study
from synthetic import make_dataset

sys.path.insert(0, str(REPOSITORY / "tests" / "slurm"))

from cluster import Cluster


@dataclass(frozen=True)
class SlurmJob:
    """CPU seconds of a job's two steps."""

    batch: float
    step: float


@contextmanager
def running_cluster(root: Path) -> Iterator[Cluster]:
    """A cluster for the time of a block."""
    cluster = Cluster(root)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def run_jobs(study: BenchStudy, cluster: Cluster, numbers: range) -> list[SlurmJob]:
    """Process some subjects on the cluster, two at a time."""
    records = [f"results/{APP}/jobs/sub-{label(n)}.json" for n in numbers]
    known = set(read_usage(cluster))
    run_measured(
        study.snakemake("--profile", "slurm", "--jobs", "2", *records)
        + ["--slurm-init-seconds-before-status-checks", "3"],
        cwd=REPOSITORY,
        env=cluster.environment,
    )
    return [job for number, job in read_usage(cluster).items() if number not in known]


def read_usage(cluster: Cluster) -> dict[str, SlurmJob]:
    """Job id -> what its two steps took, of all jobs that SLURM knows."""
    seconds: dict[str, dict[str, float]] = {}
    for line in cluster.ask("sacct", "-n", "-P", "-o", "JobID,TotalCPU").splitlines():
        name, _, clock = line.partition("|")
        number, _, step = name.partition(".")
        seconds.setdefault(number, {})[step] = clock_seconds(clock)
    return {
        number: SlurmJob(steps["batch"], steps["0"])
        for number, steps in seconds.items()
        if {"batch", "0"} <= set(steps)
    }


def clock_seconds(clock: str) -> float:
    """Seconds in `[hours:]minutes:seconds`."""
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return total


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    repeats, units = (2, 500) if quick else (7, 10_000)
    content = 2 * repeats + 1
    sizes = (2 * content, units)
    bids = [make_dataset(root / f"bids-{n}", n, files=4, content=content) for n in sizes]
    studies = [make_study(root / f"study-{n}", b) for n, b in zip(sizes, bids, strict=True)]
    alone = [job_case(study) for study in studies]
    interleave(alone, repeats)
    app = measure_app(studies[0], bids[0], repeats)
    numbers = range(repeats + 2, content + 1)
    with running_cluster(root / "cluster") as cluster:
        found = [run_jobs(study, cluster, numbers) for study in studies]
    rows = []
    starts = []
    for size, case, jobs in zip(sizes, alone, found, strict=True):
        batch = statistics.median(job.batch for job in jobs)
        inner = statistics.median(job.step for job in jobs) - case.cpu
        starts.append(batch + inner)
        parts = (batch, inner, case.cpu - app, app, batch + inner + case.cpu)
        rows.append([f"{size:,} units", *(f"{part:.2f}" for part in parts), len(jobs), "", "", ""])
    rows[1][-3:] = ratio_of(starts[1], starts[0], 1.2)
    return [
        Table(
            "A whole SLURM job",
            ["study", "first start (CPU s)", "second start", "the job", "the app", "sum", "jobs"]
            + ["both starts against the small study", "target", "met"],
            rows,
            "Medians. The starts are Snakemake's; the first includes `srun`.",
        )
    ]


if __name__ == "__main__":
    run_alone(tables, __doc__)
