"""Cost of Snakemake's main process on a login node, by the number of pending units.

    python bench/head.py [units ...]

A real SLURM cluster takes the jobs and, its nodes being drained, runs none:
what is measured is submitting up to `jobs` of them and waiting.  The
reference is the study of one unit, measured in the same call.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY / "tests" / "slurm"), str(REPOSITORY / "bench")]

from cluster import Cluster  # noqa: E402
from synthetic import make_dataset  # noqa: E402

WATCHED_SECONDS = 60


def write_study(root: Path, units: int) -> Path:
    """A study of a synthetic dataset; gives its config."""
    make_dataset(root / "bids", units)
    app = root / "app.py"
    app.write_text("")
    config = {
        "study": "bench",
        "common": {"work_dir": "/tmp"},
        "datalad": {"input_repo": str(root / "bids"), "output_repos": [str(root / "store.git")]},
        "hpc": {"mem": "500M", "time": "00:10:00"},
        "container": {
            "name": "bench",
            "image": str(app),
            "runtime": "none",
            "call_fmt": "python3 {img} {cmd}",
        },
    }
    path = root / "study.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def measure(cluster: Cluster, root: Path, units: int) -> dict[str, float]:
    """Seconds until the first submission, then CPU and memory while jobs are pending."""
    config = write_study(root, units)
    command = ["snakemake", "--directory", str(root), "--configfile", str(config)]
    environment = {**os.environ, **cluster.environment}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    subprocess.run(
        [*command, "--cores", "1", "prepare_study", "list_subjects"],
        check=True,
        cwd=REPOSITORY,
        **quiet,
    )
    start = time.monotonic()
    head = subprocess.Popen(
        [*command, "--profile", "slurm"], cwd=REPOSITORY, start_new_session=True, **quiet
    )
    process = psutil.Process(head.pid)
    while not cluster.ask("squeue", "-h") and head.poll() is None:
        time.sleep(0.2)
    first = time.monotonic() - start
    until_first = cpu_seconds(process)
    time.sleep(WATCHED_SECONDS)
    found = {
        "units": units,
        "first_job_s": first,
        "cpu_to_first_job_s": until_first,
        "cpu_per_minute_s": (cpu_seconds(process) - until_first) * 60 / WATCHED_SECONDS,
        "rss_mb": process.memory_info().rss / 2**20,
        "pending": len(cluster.ask("squeue", "-h").splitlines()),
    }
    with contextlib.suppress(ProcessLookupError):
        os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    cluster.ask("scancel", "-u", cluster.user)
    return found


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process and of its ended children."""
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Print a table."""
    sizes = [int(word) for word in sys.argv[1:]] or [1, 1000, 10000]
    os.environ.setdefault("GIT_AUTHOR_NAME", "Bench")
    os.environ.setdefault("GIT_AUTHOR_EMAIL", "bench@example.org")
    os.environ.setdefault("GIT_COMMITTER_NAME", "Bench")
    os.environ.setdefault("GIT_COMMITTER_EMAIL", "bench@example.org")
    root = Path(tempfile.mkdtemp(prefix="bidsloom-bench-", dir="/var/tmp"))
    cluster = Cluster(root / "cluster")
    try:
        cluster.start()
        cluster.ask("scontrol", "update", "NodeName=ALL", "State=DRAIN", "Reason=bench")
        rows = [measure(cluster, root / f"study{n}", n) for n in sizes]
    finally:
        cluster.stop()
        subprocess.run(["chmod", "-R", "u+w", root], check=False)
        shutil.rmtree(root, ignore_errors=True)
    columns = ["pending units", "first job after (s)", "CPU until then (s)"]
    columns += ["CPU a minute after (s)", "memory (MB)", "against one unit", "in the queue"]
    print(table_row(columns))
    print(table_row(["---"] * len(columns)))
    for row in rows:
        ratio = f"{row['rss_mb'] / rows[0]['rss_mb']:.2f} x"
        seconds = (row["first_job_s"], row["cpu_to_first_job_s"], row["cpu_per_minute_s"])
        cells = [row["units"], *(f"{value:.1f}" for value in seconds)]
        print(table_row([*cells, f"{row['rss_mb']:.0f}", ratio, row["pending"]]))


def table_row(cells: list) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
