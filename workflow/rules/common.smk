"""
What all rules share: the study, its units, and functions over them.

The dataset is looked at once, in the main process; a job's process reads the
few files that were left for it.
"""

import shlex
from collections.abc import Callable
from functools import cache
from typing import Any

from snakemake.cli import get_argument_parser

from bidsloom.scheduling.batches import BATCH, batch_name, replace_batches, list_left, read_batch
from bidsloom.units.unit import GROUP
from bidsloom.units.listing import listing_key
from bidsloom.main_process.start_message import Reasons
from bidsloom.units.unit import UNIT
from bidsloom.base.errors import ConfigFailure
from bidsloom.config import Study, read_study
from bidsloom.base.errors import WorkflowFailure, error_message
from bidsloom.checks.findings import (
    Finding,
    failures,
    fault_findings,
    findings_table,
    read_findings,
)
from bidsloom.main_process.opening import look_around, open_study
from bidsloom.merge.merge import merge_branches
from bidsloom.reporting.notifications import (
    Addresses,
    compose_message,
    send_message,
    take_addresses,
)
from bidsloom.main_process.start_message import describe_start
from bidsloom.main_process.opening import remove_old_check
from bidsloom.reporting.report import note_run, write_report
from bidsloom.scheduling.requests import next_request, shared_request
from bidsloom.config.request import Request
from bidsloom.records.attempts import read_attempts
from bidsloom.records.prepared import require_prepared
from bidsloom.base.runners import set_up_environment
from bidsloom.reporting.unit_states import collect_rows, summarize_rows
from bidsloom.records.open_study import OpenStudy
from bidsloom.units.unit_tables import read_unit
from bidsloom.records.fingerprints import unit_fingerprint
from slurm_watch import watch_slurm


def is_only_check() -> bool:
    """Whether `check` is the one target that was typed."""
    words = sys.argv[1:]
    if not workflow.is_main_process or "check" not in words:
        return False
    # As Snakemake reads them: which words are targets depends on its options.
    return get_argument_parser().parse_known_args(words)[0].targets == ["check"]


def load_study(config: dict) -> Study:
    """The study of a config, or the end of Snakemake with a letter."""
    try:
        return read_study(config)
    except ConfigFailure as e:
        if ONLY_CHECK:
            end_with_table(fault_findings(e.problems))
        sys.exit(error_message(e.problems))


def end_with_table(findings: list[Finding]) -> None:
    """The end of Snakemake, with a table of what was found."""
    print(findings_table(findings))
    sys.exit(1)


def is_busy() -> bool:
    """Whether another run of this study may be under way."""
    return any(Path(".snakemake", "locks").glob("*"))


def look_at_study(study: Study) -> OpenStudy:
    """The study with its units, or the end of Snakemake with a letter or a table."""
    set_up_environment()
    busy = is_busy()
    if ONLY_CHECK:
        findings, opened = look_around(study, here=HERE, telling=True)
        FOUND.extend(findings)
        if failures(findings):
            end_with_table(findings)
    else:
        try:
            opened = open_study(study, busy=busy, here=HERE)
        except ConfigFailure as e:
            sys.exit(error_message(e.problems))
        except WorkflowFailure as e:
            sys.exit(error_message([e]))
    if ONLY_CHECK or not busy:
        partition = "" if HERE else asked_partition(study) or "default"
        remove_old_check(opened, partition=partition, anew=ONLY_CHECK)
    return opened


def unit_results(wildcards) -> list[str]:
    """Records of all units, or of the batches in which several are processed."""
    if STUDY.resources.units_per_job == 1:
        return [f"results/{STUDY.name}/jobs/{unit}.json" for unit in OPENED.names]
    # By its whole path a record is a file that no rule makes: Snakemake's notes
    # of the job that made an earlier one would make a finished unit due again.
    done = [str(STUDY.files.record(name)) for name in sorted(OPENED.done)]
    return done + [
        (
            f"results/{STUDY.name}/batches/{batch_name(batch)}.json"
            if len(batch) > 1
            else f"results/{STUDY.name}/jobs/{batch[0].name}.json"
        )
        for batch in BATCHES
    ]


def what_a_job_needs(wildcards) -> list[str]:
    """The prepared study, unless the unit is done: then nothing makes it due again."""
    if OPENED and wildcards.unit in OPENED.done:
        return []
    return what_a_batch_needs(wildcards)


def what_a_batch_needs(wildcards) -> list[str]:
    """The prepared study.

    The files' time does not matter: whether a unit is due is said by its
    fingerprint, not by a list that was written again.
    """
    # The check comes after preparing.  A job in the queue was let through: what a
    # later day asks for is not its business.
    checked = OPENED and not HERE and STUDY.resources.check_node
    first = "checked" if checked else "prepared"
    return ancient([f"results/{STUDY.name}/{first}.json", f"results/{STUDY.name}/subjects.tsv"])


def what_a_check_needs(wildcards) -> list[str]:
    """Before jobs, the prepared study; by itself a check leaves everything as it is."""
    before_jobs = OPENED and not ONLY_CHECK
    return ancient([f"results/{STUDY.name}/prepared.json"]) if before_jobs else []


def fingerprint_of(wildcards) -> str:
    """What a unit's result must be made from; a change makes the unit due again."""
    if OPENED:
        return OPENED.fingerprint(wildcards.unit)
    unit = read_unit(STUDY, wildcards.unit)
    return unit_fingerprint(STUDY, unit, require_prepared(STUDY).image)


def profile_default(name: str) -> str | int | None:
    """A value among the profile's `default-resources`, or None."""
    given = workflow.resource_settings.default_resources
    for word in given.args if given else ():
        key, _, value = word.partition("=")
        if key == name:
            return int(value) if value.isdigit() else value.strip("'\"")
    return None


def base_request(unit: str = "") -> Request:
    """Memory and time of a unit's first job: the study's, else the profile's."""
    asked = STUDY.resources.group if unit == GROUP else STUDY.resources.job
    return Request(
        cpus=asked.cpus,
        mem_mb=asked.mem_mb or profile_default("mem_mb"),
        minutes=asked.minutes or profile_default("runtime"),
    )


def request_for(unit: str) -> Request:
    """Memory and time of a unit's next job, raised by what its attempts failed for."""
    attempts = read_attempts(STUDY, unit)
    return next_request(base_request(unit), attempts, STUDY.resources.retry)


def request_for_check() -> Request:
    """Memory and time for a look around: little, so that it does not wait for long."""
    base = base_request()
    return Request(mem_mb=min(base.mem_mb or 2000, 2000), minutes=min(base.minutes or 30, 30))


def asked_partition(study: Study) -> str | None:
    """The partition that jobs ask for, if any."""
    return study.resources.partition or profile_default("slurm_partition")


@cache
def request_for_batch(batch: str, attempt: int) -> Request:
    """Memory and time for what is left of a batch at an attempt of this run."""
    # Without a unit (its file is gone) a batch asks for what a new unit would.
    left = [unit.name for unit in list_left(STUDY, batch)] or [batch]
    requests = [request_for(name) for name in left]
    return shared_request(requests, max_minutes=STUDY.resources.retry.max_minutes)


def request_for_proof() -> Request:
    """Memory and time to compute some units again, one after the other."""
    requests = [request_for("prove")] * STUDY.prove_units
    return shared_request(requests, max_minutes=STUDY.resources.retry.max_minutes)


def last_results(wildcards) -> str:
    """What says that all is merged, the group's result included where there is one."""
    last = "group_merged" if STUDY.container.group_level else "merged"
    return f"results/{STUDY.name}/{last}.txt"


def units_of(wildcards) -> str:
    """The units of a batch, for people."""
    return ", ".join(unit.name for unit in read_batch(STUDY, wildcards.batch))


def job_resources(study: Study, request: Callable[[Any, int], Request]) -> dict:
    """What a study asks for each of its jobs; the rest is the profile's.

    `request` gives it by a job's wildcards and the number of its attempt.
    """
    asked = study.resources
    wanted = {
        "slurm_partition": asked.partition,
        "slurm_account": asked.account,
        "qos": asked.qos,
        "gpu": asked.gpus,
        "slurm_extra": asked.sbatch or None,
    }
    if asked.job.mem_mb or profile_default("mem_mb"):
        wanted["mem_mb"] = lambda wildcards, attempt: request(wildcards, attempt).mem_mb
    if asked.job.minutes or profile_default("runtime"):
        wanted["runtime"] = lambda wildcards, attempt: request(wildcards, attempt).minutes
    return {name: value for name, value in wanted.items() if value is not None}


def check_resources(study: Study) -> dict:
    """What a study asks for its look around: where jobs go, and little of all else."""
    return job_resources(study, lambda wildcards, attempt: request_for_check())


def lock_resources(study: Study) -> dict:
    """What is asked for to see one node's lock from another: a process on each, and no card."""
    asked = check_resources(study) | {"nodes": 2, "tasks": 2, "mpi": "srun"}
    return {name: value for name, value in asked.items() if name != "gpu"}


def sbatch_options(study: Study) -> dict:
    """What a job script asks SLURM for, by the names of sbatch's options."""
    asked = study.resources
    minutes = asked.job.minutes or profile_default("runtime")
    memory = asked.job.mem_mb or profile_default("mem_mb")
    return {
        "cpus-per-task": asked.job.cpus,
        "mem": memory and f"{memory}M",
        "time": minutes,
        "gpus": asked.gpus,
        "qos": asked.qos,
        "partition": asked_partition(study),
        "account": asked.account or profile_default("slurm_account"),
    }


def tell_outcome(study: Study) -> str:
    """The run in a few lines; the report is brought up to what the run added to it."""
    return "\n" + summarize_rows(write_report(study), study)


def load_addresses(study: Study) -> Addresses:
    """Where messages about the run go, out of the environment that jobs will get."""
    try:
        addresses = take_addresses(study.notify)
    except WorkflowFailure as e:
        sys.exit(error_message([e]))
    if addresses.source and not addresses.urls:
        print(f"bidsloom: {addresses.source} is empty: nobody is notified", file=sys.stderr)
    return addresses


def notify(study: Study, *, success: bool) -> None:
    """Tell people how the run ended, where that is asked for."""
    if ADDRESSES.urls and ("success" if success else "failure") in study.notify.ends:
        message = compose_message(study, collect_rows(study), success=success)
        for line in send_message(ADDRESSES, **message):
            print(line, file=sys.stderr)


def conclude_study(study: Study, *, logs: list[str]) -> str:
    """Merge and report what is finished after a run with failures."""
    refused = failures(read_findings(study.files.findings("node")))
    if study.files.checked.exists():
        refused = []
    problem = "\n" + error_message(refused) if refused else ""
    try:
        if study.files.prepared.exists():
            merge_branches(study)
    except WorkflowFailure as e:
        problem += "\n" + error_message([e])
    note_run(study, outcome="failed", log=", ".join(logs))
    rows = write_report(study)
    return f"{problem}\n{summarize_rows(rows, study)}"


def tell_check(study: Study) -> None:
    """Print all that was found, here and on the nodes."""
    kept = [study.files.findings(name) for name in ("node", "lock")]
    findings = [*FOUND, *(finding for path in kept for finding in read_findings(path))]
    print("\n" + findings_table(findings))


# Snakemake puts the interpreter into shell commands as it is: a repository in
# a folder with a space in its name would find none.
if sys.executable != shlex.quote(sys.executable):
    sys.executable = shlex.quote(sys.executable)

# With a number of jobs the work is done elsewhere, by a profile with an executor:
# the scratch folder is looked at there.  (A dry run is given a core in any case.)
HERE = workflow.resource_settings.nodes is None
ONLY_CHECK = is_only_check()
# What a check found in this process.
FOUND = []

STUDY = load_study(config)
ADDRESSES = load_addresses(STUDY) if workflow.is_main_process else Addresses()
# A SLURM job parses this file twice; only the main process looks at the dataset.
OPENED = look_at_study(STUDY) if workflow.is_main_process else None
BATCHES = []
if OPENED and not ONLY_CHECK and STUDY.resources.units_per_job > 1:
    BATCHES = replace_batches(OPENED, busy=is_busy())

WHY = Reasons(OPENED.why if OPENED else {})

if workflow.is_main_process:
    if not ONLY_CHECK:
        print("bidsloom: " + "\n".join(describe_start(OPENED)), file=sys.stderr)
    watch_slurm(STUDY)
