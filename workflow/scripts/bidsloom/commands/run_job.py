"""What a SLURM job runs on its node: a unit, a batch, a proof or a check, without Snakemake.

The main process of Snakemake has resolved everything; its arguments come from
`scheduling/node_call.py`.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..base.entry_point import entry_point
from ..base.errors import FailureClass, WorkflowFailure
from ..base.files import write_json
from ..base.runners import describe_scheduler_job, node_name, scheduler_job_id
from ..config import Study, read_config, read_study
from ..job.open_job import open_job
from ..job.process import process_unit
from ..records.job_ends import JobEnd, write_end
from ..scheduling.node_call import NodeCall, read_array

# How libraries for linear algebra are told of their CPUs.
THREADS = ("OMP", "GOTO", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of `run_job.py`."""
    parser = argparse.ArgumentParser(description="Run one job of a study on this node.")
    for name in ("directory", "config", "ended"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--array", type=Path, help="a file with the calls of an array's tasks")
    parser.add_argument("--latency-wait", type=float, default=0)
    setting, rest = parser.parse_known_args(arguments)
    # Relative paths of the config are relative to the folder of the study.
    os.chdir(setting.directory)
    if setting.array:
        wait_for_files([str(setting.array)], setting.latency_wait)
        call = read_array(setting.array)[int(os.environ["SLURM_ARRAY_TASK_ID"]) - 1]
    else:
        call = NodeCall.parse(rest)
    slurm_log = own_log()

    def ended(code: int) -> None:
        if job := scheduler_job_id():
            write_end(setting.ended, job, JobEnd(call.name, call.attempt, code))

    with entry_point(call.log, ended=ended):
        wait_for_files(call.needs, setting.latency_wait)
        if call.requested.cpus:
            for name in THREADS:
                os.environ[f"{name}_NUM_THREADS"] = str(call.requested.cpus)
        carry_out(read_study(read_config(setting.config), checked=True), call, slurm_log)


def carry_out(study: Study, call: NodeCall, slurm_log: str) -> None:
    """Do the work of a call, and write the file that is its rule's output.

    What only rare calls need is imported by them: the start of a job counts as
    often as there are units.
    """
    if call.kind == "batch":
        from ..scheduling.batch_job import process_batch

        done = process_batch(study, call.name, requested=call.requested, slurm_log=slurm_log)
        write_json(Path(call.output), {"commits": done})
    elif call.kind == "prove":
        from ..proof.outcome import refuse_difference
        from ..proof.prove import prove_study
        from ..records.prepared import require_prepared

        refuse_difference(prove_study(study, require_prepared(study)), study.files.proof)
    elif call.kind == "check":
        from ..checks.on_node import record_check

        record_check(study, Path(call.output))
    else:
        job = open_job(study, call.name, log_file=Path(call.log), requested=call.requested)
        if scheduler_job := describe_scheduler_job(slurm_log):
            logging.info(scheduler_job)
        process_unit(job)


def own_log() -> str:
    """The file that this process prints to: SLURM's log of a job; empty for anything else."""
    try:
        path = Path("/proc/self/fd/1").readlink()
    except OSError:
        return ""
    return str(path) if path.is_file() else ""


def wait_for_files(paths: Iterable[str], seconds: float) -> None:
    """Wait for files that another node wrote; a shared file system may show them late.

    Raises `WorkflowFailure` where one is missing after so many seconds.
    """
    end = time.monotonic() + seconds
    for path in paths:
        while not Path(path).exists():
            if time.monotonic() > end:
                raise WorkflowFailure(
                    f"{path} is not there on node {node_name()}.",
                    hint="the folder of the study must be on a file system that all nodes see.",
                    failure_class=FailureClass.NODE_FAILURE,
                )
            time.sleep(0.2)
