"""Process one unit (rules process_subject and process_group), or by hand:

python workflow/scripts/process_subject.py --config config/config.yaml --subject 001
"""

import argparse
import logging
import shlex
from pathlib import Path
from typing import Any

from bidsloom.base.entry_point import entry_point
from bidsloom.base.runners import describe_scheduler_job
from bidsloom.config import Study, read_config, read_study
from bidsloom.config.request import Request
from bidsloom.containers.runtimes import job_environment
from bidsloom.job.clone_steps import clone_steps
from bidsloom.job.group_job import GROUP_UNIT, GroupJob
from bidsloom.job.process import process_unit
from bidsloom.job.steps import compute_steps, push_steps
from bidsloom.job.unit_job import Job
from bidsloom.records.prepared import require_prepared
from bidsloom.units.unit import GROUP, join_name
from bidsloom.units.unit_tables import read_unit


def open_job(study: Study, unit: str, **facts: Any) -> Job:
    """The job of a unit in a study that was prepared."""
    prepared = require_prepared(study)
    if unit == GROUP:
        return GroupJob(study, GROUP_UNIT, prepared, **{**facts, "by_hand": True})
    return Job(study, read_unit(study, unit), prepared, **facts)


def chosen_unit(arguments: argparse.Namespace) -> str:
    """The unit that `--subject` and `--session` name, or the group."""
    if arguments.group:
        return GROUP
    session = arguments.session and arguments.session.removeprefix("ses-")
    return join_name(arguments.subject.removeprefix("sub-"), session)


def show_commands(job: Job) -> None:
    """Print the commands of a job, in order, ready to paste."""
    home = job.study.work_dir / f"bidsloom-{job.study.name}-{job.unit.name}"
    clone = home / "dataset"
    print(f"# {job.unit.name}: {job.branch}")
    print(f"mkdir -m 700 '{home}'")
    for name, value in job_environment(job.study, job.runtime, home / "scratch").items():
        print(f"export {name}={shlex.quote(value)}")
    for steps in (clone_steps, compute_steps, push_steps):
        for step in steps(job, clone):
            print(step)
    print(f"chmod -R u+w '{home}' && rm -rf '{home}'")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Process one unit of a prepared study and push its job branch.",
    )
    parser.add_argument("--config", type=Path, required=True, help="the study's YAML or JSON file")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--subject", help="label, with or without sub-")
    what.add_argument("--group", action="store_true", help="the group level, on what is merged")
    parser.add_argument("--session", help="label, where one session is processed per job")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the commands in order, run none"
    )
    arguments = parser.parse_args()
    with entry_point():
        study = read_study(read_config(arguments.config))
        job = open_job(study, chosen_unit(arguments), by_hand=True)
        if arguments.dry_run:
            show_commands(job)
            return
        record = process_unit(job)
        print(f"{job.unit.name} is done: {record.branch} at {record.commit}")


if "snakemake" in globals():
    log_file = Path(snakemake.log[0])
    with entry_point(log_file):
        job = open_job(
            read_study(snakemake.config),
            snakemake.wildcards.unit,
            log_file=log_file,
            requested=Request.of_job(snakemake.threads, snakemake.resources),
        )
        if scheduler_job := describe_scheduler_job():
            logging.info(scheduler_job)
        process_unit(job)
elif __name__ == "__main__":
    main()
