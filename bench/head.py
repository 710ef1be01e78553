"""Cost of Snakemake's main process on a login node, by the number of pending units.

    python bench/head.py [--quick]

A real SLURM cluster takes the jobs and, its nodes being drained, runs none:
what is measured is submitting up to `jobs` of them and waiting.  The
reference is the study of one unit, measured in the same call.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from measure import REPOSITORY, Table, run_alone
from slurm_job import Cluster, running_cluster
from study import BenchStudy, make_study
from synthetic import make_dataset


@dataclass(frozen=True)
class Head:
    """What the main process took with some units pending."""

    units: int
    first_job: float
    cpu_to_first_job: float
    cpu_per_minute: float
    memory_mb: float
    in_queue: int


def measure(cluster: Cluster, study: BenchStudy, units: int, seconds: float, *options: str) -> Head:
    """Seconds until the first submission, then CPU and memory while jobs are pending."""
    start = time.monotonic()
    head = subprocess.Popen(
        [str(word) for word in study.snakemake("--profile", "slurm", *options)],
        cwd=REPOSITORY,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **cluster.environment},
    )
    process = psutil.Process(head.pid)
    while not cluster.ask("squeue", "-h") and head.poll() is None:
        time.sleep(0.2)
    first = time.monotonic() - start
    until_first = cpu_seconds(process)
    time.sleep(seconds)
    found = Head(
        units=units,
        first_job=first,
        cpu_to_first_job=until_first,
        cpu_per_minute=(cpu_seconds(process) - until_first) * 60 / seconds,
        memory_mb=process.memory_info().rss / 2**20,
        in_queue=len(cluster.ask("squeue", "-h", "-r").splitlines()),
    )
    with contextlib.suppress(ProcessLookupError):
        os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    cluster.ask("scancel", "-u", cluster.user)
    return found


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process and of its ended children."""
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    sizes, seconds = ([1, 200], 20) if quick else ([1, 1_000, 10_000], 60)
    studies = {n: make_study(root / f"study-{n}", make_dataset(root / f"b{n}", n)) for n in sizes}
    with running_cluster(root / "cluster") as cluster:
        cluster.ask("scontrol", "update", "NodeName=ALL", "State=DRAIN", "Reason=bench")
        found = [measure(cluster, study, n, seconds) for n, study in studies.items()]
    rows = [
        [f"{head.units:,}", f"{head.first_job:.1f}", f"{head.cpu_to_first_job:.1f}"]
        + [f"{head.cpu_per_minute:.1f}", f"{head.memory_mb:.0f}"]
        + [f"{head.memory_mb / found[0].memory_mb:.2f} x", str(head.in_queue)]
        for head in found
    ]
    return [
        Table(
            "The main process on a login node",
            ["pending units", "first job after (s)", "CPU s until then", "CPU s a minute after"]
            + ["memory (MB)", "against one unit", "in the queue"],
            rows,
            "One run each, the list of units being cached. Up to `jobs: 100` wait in the queue "
            f"of a cluster whose nodes are drained. The {seconds} s that count as after include "
            "the submissions of the others.",
        )
    ]


if __name__ == "__main__":
    run_alone(tables, __doc__)
