"""Process one unit by hand, or show the commands that would do it."""

from __future__ import annotations

import argparse
import shlex

from ..base.entry_point import entry_point
from ..containers.runtimes import Runtime, app_environment, environment_file, job_environment
from ..job.clone_steps import clone_steps
from ..job.open_job import open_job
from ..job.process import process_unit
from ..job.steps import compute_steps, push_steps
from ..job.unit_job import Job
from ..units.unit import GROUP, join_name
from .chosen import add_config, read_one

ABOUT = "Process one unit of a prepared study and push its job branch."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be typed."""
    add_config(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--subject", help="label, with or without sub-")
    what.add_argument("--group", action="store_true", help="the group level, on what is merged")
    parser.add_argument("--session", help="label, where one session is processed per job")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the commands in order, run none"
    )


def run(arguments: argparse.Namespace) -> None:
    """Process the unit, or print its job's commands."""
    with entry_point():
        study = read_one(arguments)
        job = open_job(study, chosen_unit(arguments), by_hand=True)
        if arguments.dry_run:
            show_commands(job)
            return
        record = process_unit(job)
        print(f"{job.unit.name} is done: {record.branch} at {record.commit}")


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
    scratch = home / "scratch"
    secret = dict(job.study.resources.environment)
    for name in secret:
        print(f': "${{{name}:?set it to its value in hpc.environment}}" && export {name}')
    for name, value in job_environment(job.study, job.runtime, scratch).items():
        if (known := name.partition("ENV_")[2]) in secret:
            print(f'export {name}="${known}"')
        elif name not in secret:
            print(f"export {name}={shlex.quote(value)}")
    if job.runtime is Runtime.CHARLIECLOUD:
        # The file from which it reads the app's variables.
        print(f"(umask 077 && mkdir -p {shlex.quote(str(scratch))} && {{")
        for name in app_environment(job.study, job.runtime):
            print(f"""printf "%s='%s'\\n" {name} "${name}"; """)
        print(f"}} > {shlex.quote(str(environment_file(scratch)))})")
    for steps in (clone_steps, compute_steps, push_steps):
        for step in steps(job, clone):
            print(step)
    print(f"chmod -R u+w '{home}' && rm -rf '{home}'")


def main() -> None:
    """The command line of `process_subject.py`."""
    parser = argparse.ArgumentParser(description=ABOUT)
    add_arguments(parser)
    run(parser.parse_args())
