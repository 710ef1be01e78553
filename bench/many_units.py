"""Fifty thousand units: a start of Snakemake, and its main process on a login node.

    python bench/many_units.py [--quick]

A real SLURM cluster takes the jobs and, its nodes being drained, runs none.
The reference is the study of one unit, measured in the same call.
"""

from __future__ import annotations

from pathlib import Path

from head import measure
from measure import REPOSITORY, Table, Usage, run_alone, run_measured
from slurm_job import met, running_cluster
from status import NOTES
from study import APP, BenchStudy, label, make_study
from synthetic import make_dataset, make_job_branches

# Jobs that the profile is asked to keep in the queue.
IN_QUEUE = 1000


def dry_run(study: BenchStudy) -> Usage:
    """What `snakemake -n` takes, the list of units being cached."""
    return run_measured(study.snakemake("-n", "-q", "rules"), cwd=REPOSITORY)


def finish(study: BenchStudy, units: int) -> None:
    """Merge a result of all units but one, and write their records."""
    names = [f"sub-{label(n)}" for n in range(1, units)]
    make_job_branches(study.store, base=study.prepared["bases"][""], app=APP, units=names)
    run_measured(study.library(NOTES.format(done=units - 1)), cwd=study.root)


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    units, seconds = (5_000, 30) if quick else (50_000, 60)
    one = make_study(root / "study-1", make_dataset(root / "b1", 1))
    many = make_study(root / "study", make_dataset(root / "b", units))
    alone, pending = dry_run(one), dry_run(many)
    with running_cluster(root / "cluster") as cluster:
        cluster.ask("scontrol", "update", "NodeName=ALL", "State=DRAIN", "Reason=bench")
        head = measure(cluster, many, units, seconds, "--jobs", str(IN_QUEUE))
    finish(many, units)
    run_measured(many.snakemake("--unlock"), cwd=REPOSITORY)
    done = dry_run(many)
    share = head.cpu_per_minute / 60
    return [
        Table(
            "A start with many units",
            ["`snakemake -n`", "CPU s", "MB", "target", "met"],
            [
                [*row("1 unit pending", alone), "", ""],
                row(f"{units:,} pending", pending)
                + ["at most 40 s, 500 MB", met(max(pending.cpu / 40, pending.peak_mb / 500), 1)],
                row(f"{units - 1:,} done, 1 pending", done) + ["at most 15 s", met(done.cpu, 15)],
            ],
            "One run each, the list of units being cached.",
        ),
        Table(
            "The main process with many units",
            [f"{units:,} pending", "", "target", "met"],
            [
                ["jobs in the queue", str(head.in_queue), "", ""],
                ["first job after, s", f"{head.first_job:.1f}", "", ""],
                ["memory, MB", f"{head.memory_mb:.0f}", "under 600", met(head.memory_mb, 600)],
                ["of a core", f"{share:.1%}", "under 5 %", met(share, 0.05)],
            ],
            f"`--profile slurm --jobs {IN_QUEUE}`, {seconds} s after the first job was submitted, "
            "submitting the others included.",
        ),
    ]


def row(name: str, used: Usage) -> list[str]:
    """The first cells of a row."""
    return [name, f"{used.cpu:.1f}", f"{used.peak_mb:.0f}"]


if __name__ == "__main__":
    run_alone(tables, __doc__)
