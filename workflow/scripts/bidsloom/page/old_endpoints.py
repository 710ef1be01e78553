"""The six endpoints of the web page before this one, with their names and shapes.

`/check_hpc_environment`, `/generate_hpc_script`, `/save_hpc_script`,
`/submit_hpc_job`, `/get_hpc_job_status`, `/cancel_hpc_job`.  What they did
outside a study's folder they do inside it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request

from ..base.errors import CommandError, WorkflowFailure
from ..base.files import write_text
from ..base.runners import call
from ..config import Study, read_config
from ..scheduling.job_scripts import render_job_script, sbatch_options, write_script_config
from ..scheduling.requests import ProfileDefaults
from ..scheduling.slurm import ask
from ..units.unit import UNIT, unit_name
from .context import Context, Unknown
from .studies import Served

PROGRAMS = {"slurm": "sbatch", "datalad": "datalad", "git": "git", "git_annex": "git-annex"}
PROGRAMS |= {"apptainer": "apptainer", "singularity": "singularity"}
SCRIPT_SIZE = 2**20
Answer = Response | tuple[Response, int]


def make_old_endpoints(context: Context) -> Blueprint:
    """The routes, as the old pages call them."""
    old = Blueprint("old", __name__)

    @old.errorhandler(WorkflowFailure)
    def failed(e: WorkflowFailure) -> tuple[Response, int]:
        return jsonify(error=str(e)), 400

    @old.errorhandler(Unknown)
    def unknown(e: Unknown) -> tuple[Response, int]:
        return jsonify(error=str(e)), 400

    @old.get("/check_hpc_environment")
    def check_hpc_environment() -> Answer:
        """Which programs are here."""
        there = {name: shutil.which(program) is not None for name, program in PROGRAMS.items()}
        return jsonify(**there, hpc_datalad_available=there["datalad"])

    @old.post("/generate_hpc_script")
    def generate_hpc_script() -> Answer:
        """The job script of a subject, for sbatch."""
        given = read_body("config_path", "subject")
        served = find_study(context, given["config_path"])
        study = served.study()
        write_script_config(study, read_config(served.config))
        script = render_job_script(
            study,
            unit_of(given["subject"]),
            options=sbatch_options(study, ProfileDefaults()),
            python=sys.executable,
        )
        return jsonify(script=script, subject=given["subject"], config=given["config_path"])

    @old.post("/save_hpc_script")
    def save_hpc_script() -> Answer:
        """Save a script in the folder of a study's scripts."""
        given = read_body("script", "subject")
        study = find_study(context, given.get("config_path")).study()
        if len(given["script"]) > SCRIPT_SIZE:
            return jsonify(error="the script is too long"), 400
        path = study.files.script(unit_of(given["subject"]))
        write_text(path, given["script"], private=True)
        path.chmod(0o700)
        return jsonify(message=f"Script saved to {path}", path=str(path))

    @old.post("/submit_hpc_job")
    def submit_hpc_job() -> Answer:
        """Submit a saved script."""
        given = read_body("script_path")
        path = saved_script(context, given["script_path"])
        command = f"sbatch {shlex.quote(str(path))}"
        if given.get("dry_run"):
            message = "DRY RUN - Would submit job"
            return jsonify(message=message, command=command, job_id="DRY_RUN_JOB_ID")
        try:
            told = call(
                ["sbatch", "--parsable", str(path)], cwd=path.parents[3], timeout=60
            ).decode()
        except (CommandError, OSError) as e:
            return jsonify(error=getattr(e, "stderr", "").strip() or "sbatch is not here"), 500
        job = told.strip().partition(";")[0]
        return jsonify(message="Job submitted successfully", job_id=job, command=command)

    @old.post("/get_hpc_job_status")
    def get_hpc_job_status() -> Answer:
        """What SLURM says of jobs."""
        jobs = read_ids(request.get_json(silent=True), "job_ids")
        return jsonify(jobs=[ask_job(job) for job in jobs])

    @old.post("/cancel_hpc_job")
    def cancel_hpc_job() -> Answer:
        """Cancel a job."""
        (job,) = read_ids(request.get_json(silent=True), "job_id")
        try:
            call(["scancel", job], cwd=Path("/"), timeout=60)
        except (CommandError, OSError) as e:
            return jsonify(error=getattr(e, "stderr", "").strip() or "scancel is not here"), 500
        return jsonify(message=f"Job {job} cancelled", job_id=job)

    return old


def read_body(*names: str) -> dict[str, Any]:
    """The request's values; raises `WorkflowFailure` where one of the named texts is missing."""
    given = request.get_json(silent=True)
    given = given if isinstance(given, dict) else {}
    if not all(isinstance(given.get(name), str) and given[name] for name in names):
        raise WorkflowFailure(f"{' and '.join(names)} are required")
    return given


def read_ids(given: object, name: str) -> list[str]:
    """SLURM's job ids in a request; raises `WorkflowFailure` for anything else."""
    found = given.get(name) if isinstance(given, dict) else None
    ids = [str(job) for job in (found if isinstance(found, list) else [found])]
    if not found or not all(re.fullmatch(r"\d+(_\d+)?", job) for job in ids):
        raise WorkflowFailure(f"{name} is required")
    return ids


def find_study(context: Context, config: object) -> Served:
    """The study of a config file; without one the only study that is served.

    Raises `WorkflowFailure` for a file that is not the config of a study here.
    """
    studies = context.studies.all()
    if config is None and len(studies) == 1:
        return studies[0]
    for served in studies:
        names = {str(served.config), served.config.name, str(Path("config", served.config.name))}
        if config in names and (config == str(served.config) or len(studies) == 1):
            return served
    raise WorkflowFailure("config_path is not the config of a study that this page serves")


def unit_of(subject: str) -> str:
    """The unit of a subject's label; raises `WorkflowFailure` for what is no label."""
    name = unit_name(subject)
    if not re.fullmatch(UNIT, name):
        raise WorkflowFailure(f"{subject[:100]!r} is no subject")
    return name


def saved_script(context: Context, given: str) -> Path:
    """A script in the folder of a study's scripts; raises `WorkflowFailure` for another file."""
    path = Path(given)
    for served in context.studies.all():
        study: Study = served.study()
        if path.parent == study.files.scripts and path.is_file() and not path.is_symlink():
            return path
    raise WorkflowFailure("script_path is no script that /save_hpc_script saved")


def ask_job(job: str) -> dict[str, str]:
    """A job as squeue shows it; one that it does not know has ended."""
    told = ask("squeue", "-h", "-j", job, "-o", "%T|%M|%N|%k")
    status, time, nodes, comment = ([*told.strip().split("\n")[0].split("|", 3), "", "", ""])[:4]
    subject = comment.rpartition("_wildcards_")[2]
    return {
        "job_id": job,
        "subject": subject,
        "status": status or "NOT_IN_QUEUE",
        "time": time,
        "nodelist": nodes,
    }
