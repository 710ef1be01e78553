"""Telling what becomes of every unit while a study runs.

    python bench/status.py [--quick]

Three quarters of the units are merged, some are done, some failed, and jobs of
others wait in the queue of a real SLURM cluster.  The reference is what tells
it without: `snakemake -n`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from measure import (
    PYTHON,
    REPOSITORY,
    SCRIPTS,
    Case,
    Table,
    interleave,
    run_alone,
    run_measured,
    times,
)
from slurm_job import Cluster, running_cluster
from study import APP, BenchStudy, label, make_study
from synthetic import make_dataset, make_job_branches

QUEUED = 100

# Nobody waits longer for an answer.
SECONDS = 2

# Writes the notes that jobs would have left, with the fingerprints asked for.
NOTES = """
from bidsloom.merge.merge import merge_branches
from bidsloom.base.files import write_json
from bidsloom.units.listing import read_units
from bidsloom.records.fingerprints import Fingerprints
from bidsloom.records.prepared import require_prepared
merge_branches(study)
fingerprints = Fingerprints(study, require_prepared(study).image)
attempt = {{"failure_class": "app_error", "message": "bench failed", "exit_code": 1, "hint": "?"}}
for n, unit in enumerate(read_units(study)):
    record = {{"unit": unit.name, "fingerprint": fingerprints.of(unit)}}
    record |= {{"commit": "0" * 40, "attempt": 1, "seconds": {{"run": 1.0, "push": 1.0}}}}
    if n < {done}:
        write_json(study.files.record(unit.name), record)
    elif n % 10 == 0:
        write_json(study.files.attempts(unit.name), [attempt])
"""


def make_running_study(root: Path, bids: Path, units: int) -> BenchStudy:
    """A prepared study, most of it merged, some of it waiting for the merge."""
    study = make_study(root, bids)
    names = [f"sub-{label(n)}" for n in range(1, units + 1)]
    merged, done = units * 3 // 4, units * 8 // 10
    base = study.prepared["bases"][""]
    make_job_branches(study.store, base=base, app=APP, units=names[:merged])
    run_measured(study.library(NOTES.format(done=done)), cwd=study.root)
    make_job_branches(study.store, base=base, app=APP, units=names[merged:done])
    return study


def fill_queue(cluster: Cluster, study: BenchStudy, units: int) -> None:
    """Jobs of the last units, which wait."""
    told = subprocess.run(
        study.library("from bidsloom.scheduling.slurm import job_prefix; print(job_prefix(study))"),
        cwd=study.root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for n in range(units - QUEUED + 1, units + 1):
        comment = f"--comment=rule_process_subject_wildcards_sub-{label(n)}"
        name = f"--job-name={told.stdout.strip()}_bench"
        cluster.ask("sbatch", "--hold", comment, name, "--wrap", "true")


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    sizes, repeats = ([500, 1_000], 1) if quick else ([1_000, 10_000], 3)
    # It ends with 2 while there is work left.
    script = f'"$@" > "{root}/told"; [ $? = 2 ]'
    rows = []
    with running_cluster(root / "cluster") as cluster:
        os.environ |= cluster.environment
        for units in sizes:
            bids = make_dataset(root / f"bids-{units}", units)
            study = make_running_study(root / f"study-{units}", bids, units)
            fill_queue(cluster, study, units)
            asked = [PYTHON, SCRIPTS / "status.py", "--config", study.config]
            status = Case(lambda _, a=asked: ["sh", "-c", script, "status", *a], study.root)
            dry = Case(lambda _, s=study: s.snakemake("-n", "-q", "rules"), REPOSITORY)
            interleave([status, dry], repeats)
            told = (root / "told").read_text()
            assert f"{QUEUED} queued" in told.partition("\n")[0], told
            cells = [f"{status.wall:.2f}", f"{status.cpu:.2f}", f"{status.peak_mb:.0f}"]
            rows.append([f"{units:,}", *cells, f"{dry.wall:.1f}"])
            met = "yes" if status.wall < SECONDS else "no"
            rows[-1] += [times(status.wall / dry.wall), f"under {SECONDS} s", met]
    return [
        Table(
            "What becomes of every unit",
            ["units", "status (wall s)", "CPU s", "memory (MB)", "snakemake -n (wall s)"]
            + ["status against it", "target", "met"],
            rows,
            f"Medians of {repeats}. Of the units 3/4 are merged, 1/20 wait for the merge, 1/50 "
            f"failed, {QUEUED} wait in the queue.",
        )
    ]


if __name__ == "__main__":
    run_alone(tables, __doc__)
