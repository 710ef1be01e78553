"""A whole SLURM job of a trivial app: its CPU time, and what comes between two jobs.

    python bench/slurm_job.py [--quick]

On a real cluster with two jobs at a time.  SLURM tells the CPU time of each
job.  The reference is an array of shell scripts with FAIRly-big's sequence of
DataLad commands, measured in turn with the others; another row has the jobs as
the plugin starts them by itself, with Snakemake twice in each.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from job import DATALAD, SHARED, Settings, job_case, measure_app, script, settings_of
from measure import REPOSITORY, Table, interleave, ratio_of, run_alone, run_measured
from study import APP, BenchStudy, label, make_study
from synthetic import make_dataset

sys.path.insert(0, str(REPOSITORY / "tests"))

from helpers.cluster import Cluster

# All have their turn so often, with a part of the jobs each time.
ROUNDS = 2

# Questions and orders to the controller; all else is between it and its nodes.
CALLS = re.compile(
    r"(REQUEST_(?:SUBMIT_BATCH_JOB|JOB_INFO\w*|JOB_USER_INFO|BUILD_INFO|PARTITION_INFO|NODE_INFO\w*"
    r"|JOB_STEP_CREATE|JOB_STEP_INFO|KILL_JOB\w*|STEP_LAYOUT|JOB_ALLOCATION_INFO\w*))"
    r".*?count:(\d+)"
)


@dataclass(frozen=True)
class SlurmJob:
    """CPU seconds of a job, and when it ran."""

    cpu: float
    start: float
    end: float


@dataclass(frozen=True)
class Run:
    """What one command did on the cluster."""

    jobs: list[SlurmJob]
    wall: float
    ended: float
    calls: int

    def idle(self, at_once: int) -> float:
        """Median seconds in which a place for a job was empty between two of them."""
        starts = sorted(job.start for job in self.jobs)[at_once:]
        ends = sorted(job.end for job in self.jobs)
        return statistics.median(s - e for s, e in zip(starts, ends, strict=False))


@contextmanager
def running_cluster(root: Path, *, nodes: int = 4, cpus: int = 4) -> Iterator[Cluster]:
    """A cluster for the time of a block."""
    cluster = Cluster(root, nodes=nodes, cpus=cpus)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def run_jobs(study: BenchStudy, cluster: Cluster, *targets: str, jobs: int = 2) -> Run:
    """Make some targets on the cluster."""
    command = study.snakemake("--profile", "slurm", "--jobs", str(jobs), *targets)
    return run_on(cluster, command)


def run_on(cluster: Cluster, command: list[str | Path]) -> Run:
    """Run a command that submits jobs, and wait for it."""
    known = set(read_usage(cluster))
    cluster.ask("sdiag", "-r")
    usage = run_measured(command, cwd=REPOSITORY, env=cluster.environment)
    ended = time.time()
    calls = sum(int(count) for _, count in CALLS.findall(cluster.ask("sdiag")))
    # Accounting hears of an end a moment later.
    time.sleep(3)
    found = [job for number, job in read_usage(cluster).items() if number not in known]
    return Run(found, usage.wall, ended, calls)


def read_usage(cluster: Cluster) -> dict[str, SlurmJob]:
    """Job id -> what all of its steps took, of all jobs that SLURM knows to have ended."""
    jobs: dict[str, list[list[str]]] = {}
    columns = "JobID,TotalCPU,Start,End"
    # Without -S, sacct knows no job that ended before midnight.
    options = ("-n", "-P", "-S", "now-2days", "-o", columns)
    for line in cluster.ask("sacct", *options).splitlines():
        name, *rest = line.split("|")
        jobs.setdefault(name.partition(".")[0], []).append([name, *rest])
    found = {}
    for number, (whole, *steps) in jobs.items():
        start, end = whole[2:]
        if steps and "Unknown" not in (start, end):
            cpu = sum(clock_seconds(step[1]) for step in steps)
            times = (datetime.fromisoformat(clock).timestamp() for clock in (start, end))
            found[number] = SlurmJob(cpu, *times)
    return found


def clock_seconds(clock: str) -> float:
    """Seconds in `[hours:]minutes:seconds`."""
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return total


def records(first: int, last: int) -> list[str]:
    """The records of some units, as targets."""
    return [f"results/{APP}/jobs/sub-{label(n)}.json" for n in range(first, last + 1)]


def write_array(root: Path, settings: Settings, number: int) -> None:
    """Scripts with FAIRly-big's sequence for some subjects."""
    root.mkdir()
    for n in range(1, number + 1):
        (root / f"{n}.sh").write_text(script(DATALAD, settings, n)[2])


def array_of(root: Path, first: int, last: int) -> list[str | Path]:
    """The arguments of sbatch that run some of these scripts."""
    return [
        *(f"--array={first}-{last}%2", "--mem=1000", "--output", root / "%a.log"),
        *("--wrap", f'exec sh "{root}/$SLURM_ARRAY_TASK_ID.sh"'),
    ]


def batch_targets(study: BenchStudy, first: int) -> list[str]:
    """Two batches, from the first one on, as targets."""
    return [f"results/{APP}/batches/{name}.json" for name in study.batches[first : first + 2]]


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    repeats, units = (4, 500) if quick else (20, 10_000)
    each = repeats // ROUNDS
    content = 2 * repeats
    sizes = (content, units)
    bids = [make_dataset(root / f"bids-{n}", n, files=4, content=content) for n in sizes]
    few, many = (make_study(root / f"study-{n}", b) for n, b in zip(sizes, bids, strict=True))
    ria = make_study(root / "datalad", bids[0], output_url=f"ria+file://{root}/ria#~{APP}")
    by_datalad = settings_of(ria, bids[0], root / "ria" / "alias" / APP)
    in_batches = 2 * SHARED * ROUNDS
    shared_bids = make_dataset(root / "bids-shared", in_batches, files=4, content=in_batches)
    shared = make_study(root / "study-shared", shared_bids, units_per_job=SHARED)
    tasks = 2 * SHARED if quick else 200
    array_bids = make_dataset(root / "bids-arrays", tasks, files=4, content=tasks)
    arrays = make_study(root / "study-arrays", array_bids)
    fresh_bids = make_dataset(root / "bids-fresh", repeats, files=4, content=repeats)
    fresh = make_study(root / "study-fresh", fresh_bids, prepare=False)
    alone = job_case(make_study(root / "study-alone", bids[0]))
    interleave([alone], min(repeats, 7))
    app = measure_app(few, bids[0], min(repeats, 7))
    plain, own, large, old, together = ([] for _ in range(5))
    with running_cluster(root / "cluster") as cluster:
        write_array(root / "scripts", by_datalad, repeats)
        for n in range(ROUNDS):
            first, last = n * each + 1, (n + 1) * each
            array = array_of(root / "scripts", first, last)
            plain += run_on(cluster, ["sbatch", "--wait", *array]).jobs
            own += run_jobs(few, cluster, *records(first, last)).jobs
            together += run_jobs(shared, cluster, *batch_targets(shared, 2 * n)).jobs
            few_of_many = min(each, 4)
            first, last = n * few_of_many + 1, (n + 1) * few_of_many
            large += run_jobs(many, cluster, *records(first, last)).jobs
            # A group of one job is left to the plugin.
            groups = ("--groups", "process_subject=alone", "--")
            of_plugin = records(repeats + first, repeats + last)
            old += run_jobs(few, cluster, *groups, *of_plugin).jobs
        whole = run_jobs(fresh, cluster)
        # An array takes a quarter of what may be in the queue.
        in_array = run_jobs(arrays, cluster, jobs=4 * tasks)
    by_hand = cpu_of(plain)
    per_unit = sum(job.cpu for job in together) / in_batches
    rows = [
        ["array of FAIRly-big's commands", f"{by_hand:.2f}", len(plain), "", "", ""],
        ["a unit", f"{cpu_of(own):.2f}", len(own), *ratio_of(cpu_of(own), by_hand, 0.35)],
        [f"a unit of {units:,}", f"{cpu_of(large):.2f}", len(large)]
        + ratio_of(cpu_of(large), by_hand, 0.35),
        ["a unit, in the plugin's way", f"{cpu_of(old):.2f}", len(old)]
        + [ratio_of(cpu_of(old), by_hand, 1)[0], "", ""],
        [f"one of {SHARED} units in a job", f"{per_unit:.2f}", len(together)]
        + ratio_of(per_unit, by_hand, 0.22),
    ]
    merged = (fresh.results / "merged.txt").stat().st_mtime
    back, idle = whole.ended - merged, whole.idle(2)
    per_job, of_array = whole.calls / repeats, in_array.calls / tasks
    between = [
        ["from nothing to merged and reported, wall s", f"{whole.wall:.0f}", "", ""],
        [
            "a place for a job is empty between two, median s",
            f"{idle:.0f}",
            "at most 2",
            met(idle, 2),
        ],
        ["the command returns after the last merge, with a report, s", f"{back:.1f}", "at most 2"]
        + [met(back, 2)],
        ["calls to the controller a job", f"{per_job:.2f}", "at most 2", met(per_job, 2)],
        [f"the same, {tasks} jobs in one array", f"{of_array:.2f}", "at most 0.1"]
        + [met(of_array, 0.1)],
    ]
    return [
        Table(
            "A whole SLURM job",
            ["", "CPU s", "jobs", "against the array", "target", "met"],
            rows,
            f"Medians of SLURM's own count; all in turn, in {ROUNDS} rounds. Without SLURM a job "
            f"takes {alone.cpu:.2f} CPU s, of which the app {app:.3f}. Of a unit in a shared job, "
            f"in wall seconds: {step_seconds(shared)}.",
        ),
        Table(
            "Between jobs",
            [f"{repeats} units, two jobs at a time", "", "target", "met"],
            between,
            "One run. SLURM knows times in whole seconds. The calls include those of the start, "
            "of which there are ten, however many the jobs.",
        ),
    ]


def cpu_of(jobs: list[SlurmJob]) -> float:
    """Median CPU seconds of some jobs."""
    return statistics.median(job.cpu for job in jobs)


def met(value: float, at_most: float) -> str:
    """Whether a target is met."""
    return "yes" if value <= at_most else "no"


def step_seconds(study: BenchStudy) -> str:
    """Median wall seconds of the steps of the study's jobs, as they recorded them."""
    notes = [json.loads(path.read_text()) for path in (study.results / "jobs").glob("*.json")]
    names = dict.fromkeys(name for note in notes for name in note["seconds"])
    medians = {n: statistics.median(r["seconds"].get(n, 0) for r in notes) for n in names}
    return ", ".join(f"{name} {value:.2f}" for name, value in medians.items() if value >= 0.005)


if __name__ == "__main__":
    run_alone(tables, __doc__)
