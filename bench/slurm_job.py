"""A whole SLURM job of a trivial app, and what Snakemake's starts in it cost.

    python bench/slurm_job.py [--quick]

On a real cluster.  SLURM tells the CPU time of each step of a job: Snakemake
starts once in the batch script and once more in a step of its own, which also
runs the job.  What the job takes is measured without SLURM and subtracted.
"""

from __future__ import annotations

import json
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

sys.path.insert(0, str(REPOSITORY / "tests"))

from helpers.cluster import Cluster

# Units in one job, where they share it.
SHARED = 10


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


def run_jobs(study: BenchStudy, cluster: Cluster, *targets: str) -> list[SlurmJob]:
    """Make some targets on the cluster, with two jobs at a time."""
    known = set(read_usage(cluster))
    run_measured(
        study.snakemake("--profile", "slurm", "--jobs", "2", *targets)
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
    records = [f"results/{APP}/jobs/sub-{label(n)}.json" for n in range(repeats + 2, content + 1)]
    together = make_shared_study(root)
    with running_cluster(root / "cluster") as cluster:
        found = [run_jobs(study, cluster, *records) for study in studies]
        shared = run_jobs(together, cluster, "--until", "process_batch")
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
        ),
        share_table(found[0], shared, together),
    ]


def make_shared_study(root: Path) -> BenchStudy:
    """A study of two jobs with many units each."""
    subjects = 2 * SHARED
    bids = make_dataset(root / "bids-shared", subjects, files=4, content=subjects)
    return make_study(root / "study-shared", bids, units_per_job=SHARED)


def share_table(single: list[SlurmJob], shared: list[SlurmJob], study: BenchStudy) -> Table:
    """What a unit takes in a job of its own, and in one that it shares; and on what."""
    alone = statistics.median(job.batch + job.step for job in single)
    together = statistics.mean(job.batch + job.step for job in shared) / SHARED
    return Table(
        "Units that share a SLURM job",
        ["", "CPU s a unit", "against a job of its own", "target", "met"],
        [
            ["a job of its own", f"{alone:.2f}", "", "", ""],
            [f"{SHARED} in a job", f"{together:.2f}", *ratio_of(together, alone, 1 / 4)],
        ],
        f"`hpc.units_per_job: {SHARED}`, {len(shared)} jobs. Both of Snakemake's starts included. "
        f"Sharing spares the starts and the imports; what is left is each unit's own git and "
        f"git-annex, in wall seconds a unit: {step_seconds(study)}.",
    )


def step_seconds(study: BenchStudy) -> str:
    """Median wall seconds of the steps of the study's jobs, as they recorded them."""
    records = [json.loads(path.read_text()) for path in (study.results / "jobs").glob("*.json")]
    names = dict.fromkeys(name for record in records for name in record["seconds"])
    medians = {n: statistics.median(r["seconds"].get(n, 0) for r in records) for n in names}
    return ", ".join(f"{name} {value:.2f}" for name, value in medians.items() if value >= 0.005)


if __name__ == "__main__":
    run_alone(tables, __doc__)
