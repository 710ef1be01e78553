"""One script per unit that `sbatch` accepts, for those who submit by hand."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import yaml

from ..base.files import write_text
from ..base.paths import SCRIPTS
from ..config import Study
from ..config.plain_values import plain
from ..config.reading import restore_on
from ..units.unit import split_name
from .requests import ProfileDefaults, base_request
from .slurm import job_prefix, sbatch_line

JOB_SCRIPT = SCRIPTS / "process_subject.py"


def write_job_scripts(
    study: Study,
    config: Mapping,
    *,
    units: list[str],
    options: Mapping[str, object],
    python: str,
) -> Path:
    """Write `results/<study>/scripts/<unit>.sh` for every unit, and the config they read.

    `options` are sbatch's long options without the dashes; empty ones are left
    out.  Returns the folder.
    """
    write_script_config(study, config)
    private = bool(study.resources.environment)
    for unit in units:
        path = study.files.script(unit)
        script = render_job_script(study, unit, options=options, python=python)
        write_text(path, script, private=private)
        path.chmod(0o700 if private else 0o755)
    return study.files.scripts


def write_script_config(study: Study, config: Mapping) -> None:
    """Write the config that job scripts read.

    It may hold secrets: in hpc.environment, and in URLs.
    """
    text = yaml.safe_dump(plain(restore_on(config), []), sort_keys=False)
    write_text(study.files.script_config, text, private=True)


def sbatch_options(study: Study, defaults: ProfileDefaults) -> dict[str, object]:
    """What a job script asks SLURM for, by the names of sbatch's options."""
    asked = study.resources
    request = base_request(study, defaults)
    return {
        "cpus-per-task": request.cpus,
        "mem": request.mem_mb and f"{request.mem_mb}M",
        "time": request.minutes,
        "gpus": asked.gpus,
        "qos": asked.qos,
        "partition": asked.partition or defaults.partition,
        "account": asked.account or defaults.account,
        "constraint": asked.constraint,
    }


def render_job_script(
    study: Study, unit: str, *, options: Mapping[str, object], python: str
) -> str:
    """The script of one unit: resources, modules, one call.

    The values of `hpc.environment` stay in the config, from which the job reads them.
    """
    header = {
        "job-name": f"{job_prefix(study)}_{unit}",
        "comment": f"rule_process_subject_wildcards_{unit}",
        # A `%` starts a pattern of sbatch; two stand for one.
        "output": f"{str(study.files.logs).replace('%', '%%')}/{unit}.slurm-%j.log",
        "ntasks": 1,
        **options,
    }
    lines = ["#!/usr/bin/env bash"]
    for name, value in header.items():
        if value not in (None, ""):
            lines.append(sbatch_line(f"--{name}={value}"))
    lines += [sbatch_line(option) for option in study.resources.sbatch]
    lines += ["set -euo pipefail", ""]
    lines += [f"module load {shlex.quote(name)}" for name in study.resources.modules]
    subject, session = split_name(unit)
    call = [
        python,
        str(JOB_SCRIPT),
        "--config",
        str(study.files.script_config),
        "--subject",
        subject,
    ]
    if session:
        call += ["--session", session]
    # Relative paths of the config are relative to the folder snakemake was started in.
    lines += [f"cd {shlex.quote(str(study.results.parents[1]))}", f"exec {shlex.join(call)}"]
    return "\n".join(lines) + "\n"
