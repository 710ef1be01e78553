"""Stop waiting for jobs that SLURM ended or lost, and record why each job ended.

Works in Snakemake's main process, around snakemake-executor-plugin-slurm
2.8.0, which waits for ever for a job

- that `scancel` ended, when asked by sacct ("CANCELLED by 1000"),
- that was preempted without being queued again,
- that SLURM has forgotten,
- whose state could not be asked for once.

Each of them is told to the plugin in words that it knows.  What is known of
the jobs is kept by `bidsloom.scheduling.watch`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

from bidsloom.config import Study
from bidsloom.config.request import Request
from bidsloom.scheduling.retry import is_worth_retrying
from bidsloom.scheduling.slurm import job_prefix
from bidsloom.scheduling.watch import Watch

PLUGIN = "snakemake_executor_plugin_slurm"

# Rules that look around on nodes, and the names of their notes.
CHECKS = {"check_node": "node", "check_lock": "lock"}


def watch_slurm(study: Study) -> None:
    """Put a watch between Snakemake and its SLURM plugin, where that is in use."""
    plugin = sys.modules.get(PLUGIN)
    if plugin is None:
        return
    watch = Watch(study)
    query, executor = plugin.query_job_status, plugin.Executor
    check, report = executor.check_active_jobs, executor.report_job_error
    begin = executor.__post_init__

    def __post_init__(self: Any, *args: Any, **kwargs: Any) -> None:
        # By their name everybody can tell the study's jobs from others.
        settings = self.workflow.executor_settings
        given = settings.jobname_prefix or ""
        settings.jobname_prefix = "-".join(filter(None, [given[:10], job_prefix(study)]))
        begin(self, *args, **kwargs)

    async def query_job_status(command: str, logger: Any) -> tuple[dict[str, str], float]:
        statuses, seconds = await query(command, logger)
        # No answer is no news: an empty one keeps every job waited for.
        return ({}, 0.0) if statuses is None else (watch.translate(statuses), seconds)

    async def check_active_jobs(self: Any, active_jobs: list) -> AsyncIterator:
        watch.active = {job.external_jobid for job in active_jobs}
        async for job in check(self, active_jobs):
            yield job
        watch.end_cycle()
        # The plugin asks ever less often, up to three minutes; one question
        # for all jobs is cheap, and an end shall be known within three of them.
        first = self.workflow.executor_settings.init_seconds_before_status_checks
        self.next_seconds_between_status_checks = min(
            self.next_seconds_between_status_checks, 3 * first
        )

    def report_job_error(self: Any, job_info: Any, msg: Any = None, **details: Any) -> None:
        job = job_info.job
        wildcards = getattr(job, "wildcards", None) or {}
        unit, batch = wildcards.get("unit"), wildcards.get("batch")
        if unit or batch:
            facts = (
                job_info.external_jobid,
                job_info.aux.get("slurm_logfile"),
                Request.of_job(job.threads, job.resources),
            )
            if unit:
                attempts = watch.conclude(unit, *facts)
                worth, last = is_worth_retrying(attempts, this_run=job.attempt), attempts[-1:]
            else:
                last, worth = watch.conclude_batch(batch, *facts)
            if not worth:
                job.attempt = max(job.attempt, job.restart_times + 1)
            msg = "\n".join(f"{each.failure_class}: {each.message}" for each in last)
        elif job.name in CHECKS:
            watch.conclude_check(CHECKS[job.name], msg)
        report(self, job_info, msg=msg, **details)

    executor.__post_init__ = __post_init__
    plugin.query_job_status = query_job_status
    executor.check_active_jobs = check_active_jobs
    executor.report_job_error = report_job_error
