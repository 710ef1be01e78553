"""The study's SLURM jobs: how they are recognized, which exist now, and why one ended."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import digest
from ..base.runners import call
from ..config import Study
from .node_call import NodeCall, read_array

# squeue's columns: id, state, nodes, start, submission, comment, name.
COLUMNS = "%i|%T|%N|%S|%V|%k|%j"
# States of a job that has a node; the others wait for one.
AT_WORK = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING"}
# A job's comment: its rule, whose name has a prefix where the workflow is used as a module.
TASK = re.compile(r"rule_(|\w+_)process_(?:subject|batch|array|group)_wildcards_(.+)")
# What the comment of an array names instead of a unit.
ARRAY = re.compile(r"array-([0-9a-f]+)")


@dataclass(frozen=True)
class SlurmJob:
    """A job in the queue, or a task of an array; `task` is the unit or the batch that it is for."""

    id: str
    running: bool
    node: str
    since: str
    task: str


def ask(*cmd: str) -> str:
    """What a SLURM command prints; nothing where it fails or takes long."""
    try:
        return call(list(cmd), cwd=Path("/"), timeout=15).decode().strip()
    except (CommandError, OSError):
        return ""


def job_prefix(study: Study) -> str:
    """What the names of this study's jobs start with; those of other studies do not."""
    word = re.sub(r"[^A-Za-z0-9_-]", "-", study.name)[:30]
    return f"{word}-{digest(str(study.results))[:8]}"


def chain_prefix(study: Study) -> str:
    """What the names of jobs start with in a run of several studies of one results folder."""
    return f"chain-{digest(str(study.results.parent))[:8]}"


def rule_prefix(study: Study) -> str:
    """What the names of the study's rules start with in a run of several studies."""
    word = re.sub(r"[^A-Za-z0-9]", "_", study.name)
    return f"{word}_" if word[0].isalpha() else f"study_{word}_"


def slurm_extra(options: Sequence[str]) -> str:
    """Options of sbatch as the resource `slurm_extra` of Snakemake's SLURM plugin.

    The plugin puts it into a shell command, so values are quoted.  It also
    stops at anything that looks like an option of its own (` -J`), even inside
    a value, and then Snakemake never ends; so a dash is followed by the end of
    a quotation and the start of the next one, which mean nothing to a shell.
    """
    words = []
    for option in options:
        name, equals, value = option.partition("=")
        if not re.fullmatch(r"[A-Za-z0-9_.,:/@%+]*", value):
            value = "'" + value.replace("'", "'\"'\"'").replace("-", "-''") + "'"
        words.append(f"{name}{equals}{value}")
    return " ".join(words)


def sbatch_line(option: str) -> str:
    """An option as a line of a job script, in which sbatch reads quotes and backslashes."""
    name, equals, value = option.partition("=")
    if not re.fullmatch(r"[A-Za-z0-9_.,:/@%+-]*", value):
        escaped = re.sub(r'[\\"]', r"\\\g<0>", value)
        value = f'"{escaped}"'
    return f"#SBATCH {name}{equals}{value}"


def list_jobs(study: Study) -> list[SlurmJob]:
    """The jobs of the study's units that wait or run, by one call of squeue; none without SLURM."""
    if shutil.which("squeue") is None:
        return []
    owner = str(study.results.stat().st_uid)
    try:
        told = call(
            ["squeue", "-h", "-r", "-u", owner, "-o", COLUMNS], cwd=Path("/"), timeout=30
        ).decode(errors="replace")
    except CommandError as e:
        if "configuration source" in e.stderr:  # its programs are here, a cluster is not
            return []
        raise WorkflowFailure(
            f"SLURM does not list its jobs: {e.stderr.strip()}",
            hint="try again once squeue answers.",
        ) from e
    arrays: dict[str, list[NodeCall]] = {}
    found = []
    for line in told.splitlines():
        job = read_job(line, study)
        array = job and ARRAY.fullmatch(job.task)
        if job and array:
            # One comment holds for all tasks of an array: what each does is in the array's file.
            calls = arrays.setdefault(array[1], read_array(study.files.array(array[1])))
            number = int(job.id.partition("_")[2])
            if number > len(calls):
                continue
            job = replace(job, task=calls[number - 1].name)
        if job:
            found.append(job)
    return found


def read_job(line: str, study: Study) -> SlurmJob | None:
    """A unit's job from a line of squeue; None for one of another study or another kind."""
    number, state, node, start, submitted, comment, name = line.split("|", 6)
    task = TASK.fullmatch(comment)
    if not task:
        return None
    alone = f"{job_prefix(study)}_" in name
    in_chain = f"{chain_prefix(study)}_" in name and task[1] == rule_prefix(study)
    if not alone and not in_chain:
        return None
    running = state in AT_WORK
    return SlurmJob(number, running, node, start if running else submitted, task[2])


def classify_scheduler_end(state: str, log: str) -> tuple[FailureClass, str]:
    """Why SLURM ended a job, from its state and its log, with an explanation in words.

    `state` is SLURM's own (`TIMEOUT`, `CANCELLED by 1000`, ...), or `VANISHED`
    where SLURM no longer knows the job.
    """
    ends = [
        (("OUT_OF_MEMORY",), ("exceeded memory limit", "oom-kill", "oom_kill", "Out Of Memory")),
        (("TIMEOUT", "DEADLINE"), ("DUE TO TIME LIMIT",)),
        (("NODE_FAIL", "BOOT_FAIL", "VANISHED"), ("DUE TO NODE FAILURE",)),
        (("PREEMPTED",), ("DUE TO PREEMPTION",)),
        (("CANCELLED", "REVOKED"), ("CANCELLED AT",)),
    ]
    meanings = [
        (FailureClass.OUT_OF_MEMORY, "it used more memory than it had asked for"),
        (FailureClass.TIMEOUT, "it was not finished within its time limit"),
        (FailureClass.NODE_FAILURE, "its node failed"),
        (FailureClass.CANCELLED, "another job took its place (preemption)"),
        (FailureClass.CANCELLED, "it was cancelled"),
    ]
    first = state.split(" ")[0].rstrip("+")
    for (states, words), meaning in zip(ends, meanings, strict=True):
        if first in states and first != "CANCELLED":
            return meaning
        if any(word in log for word in words):
            return meaning
    if first == "CANCELLED":
        return FailureClass.CANCELLED, "it was cancelled"
    return FailureClass.NODE_FAILURE, "it was killed from outside"
