"""The adapter to Snakemake's SLURM plugin: all that is different from it is here.

Works in Snakemake's main process, as a subclass of the plugin's executor.  Each
change says why it is there, with the issue of the plugin where there is one
(github.com/snakemake/snakemake-executor-plugin-slurm/issues).  With a plugin
that it was not tested with, the adapter stays away: a warning is printed, and
jobs run in the plugin's own way.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import shlex
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bidsloom.base.batching import in_batches
from bidsloom.base.errors import CommandError
from bidsloom.base.files import write_json
from bidsloom.base.runners import call
from bidsloom.config import Study
from bidsloom.config.request import Request
from bidsloom.records.job_ends import JobEnd, remove_ends, take_ends
from bidsloom.scheduling.batches import BatchUnit, list_commits, list_left, list_missing
from bidsloom.scheduling.node_call import CallSetting, NodeCall, write_array, write_job_config
from bidsloom.scheduling.retry import is_worth_retrying
from bidsloom.scheduling.slurm import ask, chain_prefix, job_prefix
from bidsloom.scheduling.submissions import Pace, is_gathered, split_in_arrays
from bidsloom.scheduling.unit_jobs import UnitJobs
from bidsloom.scheduling.watch import Watch

try:
    import snakemake_executor_plugin_slurm as plugin
    from snakemake.settings.types import DeploymentMethod, SharedFSUsage
    from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry
except ImportError:
    plugin = None

PACKAGE = "snakemake-executor-plugin-slurm"
# Versions of the plugin that the tests in tests/slurm have passed with.
TESTED = ("2.8.0",)

# What is used of the plugin and of its base class -> the parameters that are relied upon.
RELIED_UPON = {
    "get_min_job_age": (),
    "get_submit_command": ("job", "params", "settings", "failed_nodes"),
    "query_job_status": ("command", "logger"),
    "set_gres_string": ("job",),
    "validate_or_get_slurm_job_id": (),
    "validate_slurm_extra": ("job",),
    "Executor.__init__": ("workflow", "logger"),
    "Executor.__post_init__": (),
    "Executor._report_job_error_threadsafe": ("job_info", "msg"),
    "Executor._report_job_submission_threadsafe": ("job_info",),
    "Executor.cancel": (),
    "Executor.cancel_jobs": ("active_jobs",),
    "Executor.check_active_jobs": ("active_jobs",),
    "Executor.format_job_exec": ("job",),
    "Executor.get_account_arg": ("job",),
    "Executor.get_partition_arg": ("job",),
    "Executor.get_python_executable": (),
    "Executor.get_status_command": (),
    "Executor.report_job_error": ("job_info", "msg"),
    "Executor.report_job_success": ("job_info",),
    "Executor.run_job": ("job",),
    "Executor.run_job_pre": ("job",),
    "Executor.run_jobs": ("jobs",),
    "Executor.shutdown": (),
    "Executor.sleep": (),
}

# Rules whose jobs the node runs by itself -> what they do there.
DIRECT = {
    "process_subject": "unit",
    "process_array": "unit",
    "process_group": "unit",
    "process_batch": "batch",
    "prove": "prove",
    "check_node": "check",
}
# All rules whose jobs go to nodes.
KINDS = (*DIRECT, "check_lock")
# What the id starts with by which Snakemake knows the jobs of many units together.
UNITS = "units-"
# Rules that look around on nodes, and the names of their notes.
CHECKS = {"check_node": "node", "check_lock": "lock"}

# Seconds between two looks at the notes of jobs that ended.
TICK = 0.4
# Seconds until SLURM knows that a job has ended which said so.
MOMENT = 1.5
# Seconds between two questions to SLURM, however many jobs have failed.
LEAST_INTERVAL = 3.0


@dataclass
class Part:
    """A study whose jobs the adapter submits; `setting` is what the calls of its jobs share."""

    study: Study
    config: Mapping
    setting: CallSetting | None = None


def adapt_slurm(study: Study, config: Mapping, *, here: bool, in_chain: bool = False) -> bool:
    """Put the adapter in the place of the plugin's executor; whether it is there.

    `here` says that jobs run on this machine: then nothing is said about it.
    `in_chain` says that other studies share the run: each adds itself.
    """
    if plugin is None:
        return False
    if moved := find_moved(plugin, version(PACKAGE)):
        if not here:
            print(
                f"bidsloom: WARNING: {PACKAGE} {version(PACKAGE)} is not one that bidsloom was "
                f"tested with ({', '.join(TESTED)}): {'; '.join(moved)}. Jobs run in the plugin's "
                "own way: slower, and a job that is cancelled may be waited for without end. "
                f"Hint: pip install {PACKAGE}=={TESTED[-1]}",
                file=sys.stderr,
            )
        return False
    known = ExecutorPluginRegistry().get_plugin("slurm")
    others = getattr(known.executor, "parts", ()) if in_chain else ()
    parts = (*others, Part(study, config))
    known.executor = type("StudyExecutor", (SlurmAdapter,), {"parts": parts, "in_chain": in_chain})
    return True


def kind_of(job: Any) -> str:
    """What a job's rule is called in the workflow; as a module its rules have a prefix."""
    name = job.rule.name
    return next((known for known in KINDS if f"_{name}".endswith(f"_{known}")), name)


def find_moved(module: Any, found: str) -> list[str]:
    """What is not as in a tested version of the plugin, in words; nothing where all is."""
    moved = [] if found in TESTED else [f"version {found} was not tested"]
    for name, parameters in RELIED_UPON.items():
        try:
            part = functools.reduce(getattr, name.split("."), module)
        except AttributeError:
            moved.append(f"{name} is missing")
            continue
        known = inspect.signature(part).parameters
        moved += [f"{name} has no parameter {p}" for p in parameters if p not in known]
    return moved


def own_unit(info: Any) -> str:
    """The unit of a SLURM job of which Snakemake knows nothing; empty for its own jobs."""
    return (info.aux or {}).get("unit", "")


class SlurmAdapter(getattr(plugin, "Executor", object)):
    """The plugin's executor, with jobs that need no Snakemake and ends that are seen at once."""

    parts: tuple[Part, ...]
    in_chain: bool

    def __init__(self, workflow: Any, logger: Any) -> None:
        # The plugin's thread starts in its own __init__, and finds these.
        self.first = self.parts[0]
        self.watch = Watch(self.first.study)
        self.ends: dict[str, JobEnd] = {}
        self.failures: dict[str, int] = {}
        self.failed_at = 0.0
        self.asked = self.counted = time.monotonic()
        self.gathered: list[tuple[float, tuple, Any]] = []
        self.gathering = threading.Lock()
        self.pace = Pace()
        self.waiting = 0
        self.large: list[tuple[Any, list[BatchUnit]]] = []
        self.on_the_way = 0
        self.unit_jobs: dict[str, UnitJobs] = {}
        self.accounts: dict[str, str] = {}
        self.arrays: list[Path] = []
        self.looked_at: dict[str, Any] = {}
        super().__init__(workflow, logger)

    def __post_init__(self, *args: Any, **kwargs: Any) -> None:
        """Name the jobs, and write what they need on their nodes."""
        # By their names everybody can tell the study's jobs from others.
        settings = self.workflow.executor_settings
        given = settings.jobname_prefix or ""
        own = (chain_prefix if self.in_chain else job_prefix)(self.first.study)
        prefix = "-".join(filter(None, [given[:10], own]))
        if not given.endswith(prefix):
            settings.jobname_prefix = prefix
        self.patch_questions()
        super().__post_init__(*args, **kwargs)
        for part in self.parts:
            part.setting = CallSetting(
                directory=Path.cwd(),
                config=write_job_config(part.study, part.config),
                ended=part.study.files.ended(self.run_uuid.rpartition("_")[2]),
                latency_wait=self.workflow.execution_settings.latency_wait,
            )
            part.setting.ended.mkdir(parents=True, exist_ok=True)
        self.warn_of_limits()

    def part_of(self, job: Any) -> Part:
        """The study that a job is of, by its log, which each rule has in `results/<study>/`."""
        folder = Path(str(job.log[0])).parts[1:2] if job.log else ()
        return next((part for part in self.parts if (part.study.name,) == folder), self.first)

    def warn_of_limits(self) -> None:
        """Say where the profile asks for more jobs at once than the controller takes."""
        limit = re.search(r"MaxJobCount\s*=\s*(\d+)", ask("scontrol", "show", "config"))
        jobs = self.workflow.resource_settings.nodes or 0
        if limit and jobs > int(limit[1]):
            self.logger.warning(
                f"`jobs: {jobs}` of the profile is more than the {limit[1]} jobs that this "
                "cluster takes of all users together (MaxJobCount): ask for fewer."
            )

    def setting_of(self, job: Any) -> CallSetting:
        """What the calls of the jobs of a job's study share."""
        setting = self.part_of(job).setting
        assert setting is not None
        return setting

    # --- 1. the node runs the job, not Snakemake
    #
    # The plugin starts Snakemake twice in each job, once in the batch script and
    # once in a step (srun): 60 % of the CPU time of a short job.

    def is_direct(self, job: Any) -> bool:
        """Whether the node can run a job without Snakemake."""
        shared = {SharedFSUsage.INPUT_OUTPUT, SharedFSUsage.SOURCES}
        return (
            not job.is_group()
            and kind_of(job) in DIRECT
            and shared <= set(self.workflow.storage_settings.shared_fs_usage)
        )

    def node_call(self, job: Any) -> NodeCall:
        """What a job does on its node."""
        wildcards = job.wildcards
        return NodeCall(
            kind=DIRECT[kind_of(job)],
            name=wildcards.get("unit") or wildcards.get("batch") or kind_of(job),
            log=str(job.log[0]),
            output=str(job.output[0]) if job.output else "",
            requested=Request.of_job(job.threads, job.resources),
            attempt=job.attempt,
            needs=tuple(map(str, job.get_wait_for_files())),
        )

    def format_job_exec(self, job: Any) -> str:
        """The command of a job, which sbatch gets in double quotes."""
        if not self.is_direct(job):
            return super().format_job_exec(job)
        command = self.direct_command(job, self.setting_of(job).command(self.node_call(job)))
        if self.workflow.executor_settings.pass_command_as_script:
            return command
        # The plugin escapes the double quotes (issue 29), and nothing else.
        return re.sub(r"([\\$`])", r"\\\1", command)

    def direct_command(self, job: Any, words: str) -> str:
        """A command that becomes the job itself, with the modules of its rule.

        With `exec`: SLURM's signal must not end a shell, and with it the job,
        while the job cleans up.
        """
        # In the place of Snakemake's own start of a job: an earlier result is no result.
        for path in job.output:
            Path(path).unlink(missing_ok=True)
        command = f"exec {self.get_python_executable()} {words}"
        methods = self.workflow.deployment_settings.deployment_method
        if job.env_modules and DeploymentMethod.ENV_MODULES in methods:
            # Bash, as Snakemake does: there is `module`, by BASH_ENV.
            command = f"exec bash -c {shlex.quote(job.env_modules.shellcmd(command))}"
        return command

    # --- 2. an end is noticed at once, and SLURM is asked seldom
    #
    # The plugin asks for all jobs every 20 to 180 seconds, and Snakemake ends only
    # when that wait is over.  A job that succeeded says so itself; SLURM is asked
    # for the others, since only it knows why it ended them.

    async def sleep(self) -> None:
        """Wait for the next question to SLURM, the end of a job, or that of Snakemake."""
        while self.wait and time.monotonic() < self.next_question() and not self.is_news():
            self.submit_gathered()
            await asyncio.sleep(TICK)

    def next_question(self) -> float:
        """When SLURM is to be asked."""
        interval = self.next_seconds_between_status_checks
        if self.failures:
            # Twice as late each time, for a job that takes long to end.
            early = self.asked + LEAST_INTERVAL * 2 ** min(self.failures.values())
            # A job that says so is about to end: SLURM does not know yet.
            return min(self.asked + interval, max(early, self.failed_at + MOMENT))
        return self.asked + interval

    def is_news(self) -> bool:
        """Whether a job has ended, by its own word, that was not looked at yet."""
        self.look_at_ends()
        with self.lock:
            numbers = {info.external_jobid for info in self.active_jobs}
        for together in list(self.unit_jobs.values()):
            numbers |= together.jobs.keys()
        return bool(numbers & self.ends.keys() - self.failures.keys())

    def look_at_ends(self) -> None:
        """Read the notes of jobs that ended."""
        found = {}
        for part in self.parts:
            found |= take_ends(part.setting.ended) if part.setting else {}
        self.ends |= found
        self.waiting = max(0, self.waiting - len(found))

    async def check_active_jobs(self, active_jobs: list) -> AsyncIterator:
        """Report the jobs that ended; yield the others."""
        shared = [info for info in active_jobs if info.external_jobid in self.unit_jobs]
        async for info in self.check_jobs(self.with_unit_jobs(active_jobs)):
            if not own_unit(info):
                yield info
        for info in shared:
            if not self.report_if_over(info):
                yield info

    async def check_jobs(self, active_jobs: list) -> AsyncIterator:
        """Report the jobs that ended, each of them one of SLURM's; yield the others."""
        self.looked_at = {info.external_jobid: info for info in active_jobs}
        self.look_at_ends()
        others = [info for info in active_jobs if not self.report_own_word(info)]
        failed = [info.external_jobid for info in others if info.external_jobid in self.ends]
        if set(failed) - self.failures.keys():
            self.failed_at = time.monotonic()
        self.failures = {job: self.failures.get(job, 0) for job in failed}
        first = self.workflow.executor_settings.init_seconds_before_status_checks
        if not others:
            self.asked = time.monotonic()
            self.next_seconds_between_status_checks = first
            return
        if time.monotonic() < self.next_question():
            for info in others:
                yield info
            return
        self.asked = time.monotonic()
        self.failures = {job: asked + 1 for job, asked in self.failures.items()}
        self.watch.active = {info.external_jobid for info in others}
        async for info in super().check_active_jobs(others):
            yield info
        counts = self.asked - self.counted >= first
        if counts:
            self.counted = self.asked
        self.watch.end_cycle(counts=counts)
        # The plugin asks ever less often, up to three minutes; one question
        # for all jobs is cheap, and an end shall be known within three of them.
        self.next_seconds_between_status_checks = min(
            self.next_seconds_between_status_checks, 3 * first
        )

    def report_job_success(self, job_info: Any) -> None:
        """Report a job that succeeded."""
        self.looked_at.pop(job_info.external_jobid, None)
        self.ends.pop(job_info.external_jobid, None)
        if own_unit(job_info):
            self.unit_jobs[job_info.aux["together"]].end(job_info.external_jobid, success=True)
            return
        super().report_job_success(job_info)

    def report_own_word(self, info: Any) -> bool:
        """Report a job that says that it succeeded; whether there is no need to ask SLURM."""
        if info.external_jobid not in self.ends:
            return False
        end, job = self.ends[info.external_jobid], info.job
        if not self.is_direct(job):
            return False
        name = own_unit(info) or self.node_call(job).name
        if (end.name, end.attempt) != (name, job.attempt):
            del self.ends[info.external_jobid]
            return False
        if end.exit_code:
            return False
        # Snakemake now looks at the output, and writes its own notes of the job.
        self.report_job_success(info)
        log = info.aux.get("slurm_logfile")
        if log and not self.workflow.executor_settings.keep_successful_logs:
            log.unlink(missing_ok=True)
        return True

    def patch_questions(self) -> None:
        """Change what the plugin asks SLURM, and what it makes of the answers.

        It waits for ever for a job that `scancel` ended when sacct is asked
        ("CANCELLED by 1000"), that was preempted without being queued again,
        that SLURM has forgotten, or whose state could not be asked for once.
        """
        query = getattr(plugin.query_job_status, "__wrapped__", plugin.query_job_status)
        min_job_age = getattr(plugin.get_min_job_age, "__wrapped__", plugin.get_min_job_age)
        known: list[int] = []

        @functools.wraps(query)
        async def query_job_status(command: str, logger: Any) -> tuple[dict[str, str], float]:
            if command.startswith("squeue"):
                # Tasks of an array that wait are one line otherwise.
                command += " -r"
            statuses, seconds = await query(command, logger)
            # No answer is no news: an empty one keeps every job waited for.
            if statuses is None:
                return {}, 0.0
            self.waiting = sum(
                statuses.get(job, "").startswith("PENDING") for job in self.watch.active
            )
            return self.watch.translate(statuses), seconds

        @functools.wraps(min_job_age)
        def get_min_job_age() -> int | None:
            # It does not change while Snakemake runs; the plugin asks for it in each cycle.
            if not known and (age := min_job_age()) is not None:
                known.append(age)
            return known[0] if known else None

        plugin.query_job_status = query_job_status
        plugin.get_min_job_age = get_min_job_age

    def get_account_arg(self, job: Any) -> Iterator[str]:
        """The account of a job; the plugin asks SLURM for it at each submission."""
        account = str(job.resources.get("slurm_account"))
        if account not in self.accounts:
            self.accounts[account] = next(super().get_account_arg(job))
        yield self.accounts[account]

    def report_job_error(self, job_info: Any, msg: Any = None, **details: Any) -> None:
        """Record why a job failed, and end its attempts where another is not worth it."""
        job, number = job_info.job, job_info.external_jobid
        for known in (self.looked_at, self.ends, self.failures):
            known.pop(number, None)
        wildcards = getattr(job, "wildcards", None) or {}
        unit, batch = wildcards.get("unit"), wildcards.get("batch")
        watch = self.watch.of(self.part_of(job).study)
        asked = Request.of_job(job.threads, job.resources)
        aux = job_info.aux or {}
        facts = (number, aux.get("slurm_logfile"), asked)
        if one := own_unit(job_info):
            watch.conclude(one, *facts)
            self.unit_jobs[aux["together"]].end(number, success=False)
            return
        if number is None and (unit or batch):
            watch.conclude_refused(unit, batch, msg or "", asked)
        elif unit or batch:
            if unit:
                attempts = watch.conclude(unit, *facts)
                worth, last = is_worth_retrying(attempts, this_run=job.attempt), attempts[-1:]
            elif kind_of(job) == "process_array":
                last, worth = watch.judge_batch(batch)
            else:
                last, worth = watch.conclude_batch(batch, *facts)
            if not worth:
                job.attempt = max(job.attempt, job.restart_times + 1)
            msg = "\n".join(f"{each.failure_class}: {each.message}" for each in last)
        elif not job.is_group() and kind_of(job) in CHECKS:
            watch.conclude_check(CHECKS[kind_of(job)], msg)
        super().report_job_error(job_info, msg=msg, **details)

    def shutdown(self) -> None:
        """End, and remove the notes of this run."""
        super().shutdown()
        for part in self.parts:
            if part.setting:
                remove_ends(part.setting.ended)
        for array in self.arrays:
            array.unlink(missing_ok=True)

    # --- 3. jobs that ask for the same are one array
    #
    # The plugin's own arrays lose jobs (issues 447 and 473): they wait for all jobs of
    # a rule, ask for the state of the array instead of that of each task, and hand
    # the commands of all tasks over on the command line.

    def run_jobs(self, jobs: list) -> None:
        """Submit jobs; those that the node runs by itself a moment later, together."""
        super().run_jobs([job for job in jobs if not self.is_direct(job)])
        for job in jobs:
            if self.is_direct(job):
                self.run_job_pre(job)
                with self.gathering:
                    if kind_of(job) == "process_array":
                        study = self.part_of(job).study
                        self.large.append((job, list_left(study, job.wildcards.batch)))
                    else:
                        self.gathered.append((time.monotonic(), self.request_key(job), job))

    def submit_gathered(self) -> None:
        """Submit the jobs that were gathered, as far as it is time for them."""
        self.submit_unit_jobs()
        groups: dict[tuple, list[tuple[float, Any]]] = {}
        with self.gathering:
            for since, key, job in self.gathered:
                groups.setdefault(key, []).append((since, job))
            for members in groups.values():
                most, age = self.most_tasks(members[0][1]), time.monotonic() - members[0][0]
                if not is_gathered(len(members), age, most=most, waiting=self.waiting):
                    continue
                for part in split_in_arrays([job for _, job in members], most=most):
                    if not self.pace.allows():
                        return
                    gone = set(part)
                    self.gathered = [one for one in self.gathered if one[2] not in gone]
                    self.waiting += len(part)
                    submit = self._job_submission_executor.submit
                    if len(part) > 1:
                        submit(self.run_array, part)
                    else:
                        submit(self.run_job, part[0])

    def request_key(self, job: Any) -> tuple:
        """The same for jobs that may be in one array."""
        asked = sorted((name, str(value)) for name, value in job.resources.items())
        return job.rule.name, job.threads, tuple(asked)

    def most_tasks(self, job: Any) -> int:
        """How many tasks an array of such jobs has at most; 1 where arrays are off.

        The cluster's MaxArraySize is in the plugin's number.  Asked by sacct,
        the plugin does not know tasks by the ids that sbatch makes.
        """
        resources = job.resources
        if any(resources.get(name) for name in ("cluster", "clusters", "slurm_cluster")):
            return 1
        age, first = plugin.get_min_job_age(), self.init_seconds
        if self.get_status_command() != "squeue" or age is None or age < 3 * first:
            return 1
        return max(1, min(int(resources.get("slurm_array", 0)), self.max_array_size))

    @property
    def init_seconds(self) -> int:
        """Seconds until the first question to SLURM."""
        return self.workflow.executor_settings.init_seconds_before_status_checks

    def run_array(self, jobs: list) -> None:
        """Submit jobs that ask for the same as the tasks of one array."""
        try:
            tasks = self.submit_array(jobs[0], [self.node_call(job) for job in jobs])
        except Exception as e:
            for job in jobs:
                self._report_job_error_threadsafe(SubmittedJobInfo(job), str(e))
            return
        for job, (number, log) in zip(jobs, tasks, strict=True):
            info = SubmittedJobInfo(job, external_jobid=number, aux={"slurm_logfile": log})
            self._report_job_submission_threadsafe(info)

    def submit_array(self, job: Any, calls: list[NodeCall]) -> list[tuple[str, Path]]:
        """Submit an array of jobs that ask for what `job` does; the id and log of each task.

        Raises `RuntimeError` with SLURM's words where it takes none.
        """
        array = uuid.uuid4().hex[:12]
        path = write_array(self.part_of(job).study, array, calls)
        self.arrays.append(path)
        words = self.setting_of(job).command(array=path)
        options = f" --array=1-{len(calls)}"
        number = self.submit(job, words, f"array-{array}", log="%A_%a", options=options)
        self.logger.info(f"{len(calls)} jobs were submitted as the array {number}.")
        tasks = [f"{number}_{task}" for task in range(1, len(calls) + 1)]
        return [(task, self.log_folder(job) / f"{task}.log") for task in tasks]

    def submit(self, job: Any, words: str, name: str, *, log: str, options: str = "") -> str:
        """Submit what asks for the same as a job of Snakemake's; returns SLURM's id.

        `words` are the arguments of `run_job.py`, `name` is what the comment names.
        Raises `RuntimeError` with SLURM's words where it does not take it.
        """
        try:
            plugin.validate_slurm_extra(job)
            self.log_folder(job).mkdir(parents=True, exist_ok=True)
            parameters = {
                "run_uuid": self.run_uuid,
                "slurm_logfile": self.log_folder(job) / f"{log}.log",
                "comment_str": f"rule_{job.rule.name}_wildcards_{name}",
                "account": next(self.get_account_arg(job)),
                "partition": self.get_partition_arg(job),
                "workdir": self.workflow.workdir_init,
            }
            command = plugin.get_submit_command(
                job,
                parameters,
                settings=self.workflow.executor_settings,
                failed_nodes=self._failed_nodes,
            )
            command += f"{plugin.set_gres_string(job)}{options} /dev/stdin"
            script = f"#!/bin/sh\n{self.direct_command(job, words)}\n"
            text = call(["sh", "-c", command], cwd=Path.cwd(), stdin=script).decode()
            return plugin.validate_or_get_slurm_job_id(text.strip().split(";")[0], text)
        except Exception as e:
            why = e.stderr.strip() if isinstance(e, CommandError) else str(e)
            raise RuntimeError(f"SLURM did not take {name}: {why}") from e

    def log_folder(self, job: Any) -> Path:
        """Where SLURM writes the logs of a rule's jobs."""
        return self.slurm_logdir / f"rule_{job.rule.name}"

    # --- 4. thousands of units: Snakemake knows arrays, and the adapter their tasks
    #
    # Each job that Snakemake knows takes 2 ms and 20 kB of it at every start.

    def submit_unit_jobs(self) -> None:
        """Submit arrays of units, as far as there is room among the jobs in the queue."""
        with self.gathering:
            while self.large:
                job, units = self.large[0]
                taken = self.on_the_way
                taken += sum(len(together.jobs) for together in list(self.unit_jobs.values()))
                if taken and taken + len(units) > (self.workflow.resource_settings.nodes or 1):
                    return
                if not self.pace.allows():
                    return
                del self.large[0]
                self.on_the_way += len(units)
                self._job_submission_executor.submit(self.run_unit_jobs, job, units)

    def run_unit_jobs(self, job: Any, units: list[BatchUnit]) -> None:
        """Submit a job for each unit of a batch."""
        asked = Request.of_job(job.threads, job.resources)
        needs, study = tuple(map(str, job.get_wait_for_files())), self.part_of(job).study
        calls = [
            NodeCall(
                kind="unit",
                name=unit.name,
                log=str(study.files.log(unit.name)),
                requested=asked,
                attempt=job.attempt,
                needs=needs,
            )
            for unit in units
        ]
        most, together = self.most_tasks(job), UnitJobs(job.wildcards.batch)
        refused = ""
        for part in in_batches(calls, most):
            try:
                tasks = self.submit_array(job, part) if most > 1 else self.submit_one(job, part[0])
            except RuntimeError as e:
                refused = str(e)
                break
            for one, (number, log) in zip(part, tasks, strict=True):
                together.jobs[number] = one.name
                together.logs[number] = log
        with self.gathering:
            self.on_the_way -= len(units)
            self.waiting += len(together.jobs)
            name = f"{UNITS}{uuid.uuid4().hex[:12]}"
            if together.jobs:
                self.unit_jobs[name] = together
        if not together.jobs:
            self._report_job_error_threadsafe(SubmittedJobInfo(job), refused)
            return
        self._report_job_submission_threadsafe(SubmittedJobInfo(job, external_jobid=name, aux={}))

    def submit_one(self, job: Any, one: NodeCall) -> list[tuple[str, Path]]:
        """Submit the job of a unit by itself, at the pace of all submissions; its id and log."""
        while not self.may_submit():
            time.sleep(TICK)
        number = self.submit(job, self.setting_of(job).command(one), one.name, log=f"{one.name}-%j")
        return [(number, self.log_folder(job) / f"{one.name}-{number}.log")]

    def may_submit(self) -> bool:
        """Whether there may be a submission now; it is counted."""
        with self.gathering:
            return self.pace.allows()

    def with_unit_jobs(self, infos: Iterable[Any]) -> list[Any]:
        """Jobs that Snakemake knows, in the place of those for many units the units' own."""
        found = []
        for info in infos:
            together = self.unit_jobs.get(info.external_jobid)
            if together is None:
                found.append(info)
                continue
            for number, unit in list(together.jobs.items()):
                aux = {"slurm_logfile": together.logs[number], "unit": unit}
                aux["together"] = info.external_jobid
                found.append(SubmittedJobInfo(info.job, external_jobid=number, aux=aux))
        return found

    def report_if_over(self, info: Any) -> bool:
        """Report the end of a batch whose units have jobs of their own; whether it has ended."""
        together, study = self.unit_jobs[info.external_jobid], self.part_of(info.job).study
        if not together.is_over(study, self.setting_of(info.job).latency_wait):
            return False
        del self.unit_jobs[info.external_jobid]
        if list_missing(study, together.batch):
            self.report_job_error(info)
        else:
            write_json(Path(info.job.output[0]), {"commits": list_commits(study, together.batch)})
            self.report_job_success(info)
        return True

    def cancel(self) -> None:
        """End: what is not submitted stays so, what is on its way is waited for and cancelled."""
        with self.gathering:
            self.gathered.clear()
            self.large.clear()
            self._job_submission_executor.shutdown(wait=True, cancel_futures=True)
        super().cancel()

    def cancel_jobs(self, active_jobs: list) -> None:
        """Cancel all jobs, an array by its own id: one order instead of thousands.

        Jobs that are looked at in this moment are not among Snakemake's active ones.
        """
        active = self.with_unit_jobs([*active_jobs, *self.looked_at.values()])
        known = [i for i in active if not (i.external_jobid or UNITS).startswith(UNITS)]
        ids = {info.external_jobid.partition("_")[0]: info for info in known}
        super().cancel_jobs(
            [SubmittedJobInfo(info.job, external_jobid=number) for number, info in ids.items()]
        )
