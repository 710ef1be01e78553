"""The app's command line, and the filter file it names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ..config.study import Container
from ..containers.runtimes import LICENSE, WORK_DIR, Runtime
from ..units.further_inputs import named_path
from ..units.output_folders import output_folder
from ..units.unit import GROUP, Unit
from .unit_job import Job


def app_command(job: Job) -> list[str]:
    """The BIDS App's arguments, relative to the dataset's root."""
    container, unit = job.study.container, job.unit
    values = placeholder_values(job)
    if unit.is_group:
        words = (fill(word, values) for word in container.group_arguments)
        return [job.study.bids_path, container.outputs[0], GROUP, *words]
    labels = [container.participant_flag, unit.subject]
    if unit.session is not None and container.session_flag:
        labels += [container.session_flag, unit.session]
    if path := filter_file(job):
        labels += ["--bids-filter-file", path]
    return [
        bids_folder(job),
        output_folder(container, unit, container.outputs[0]),
        container.analysis_level,
        *labels,
        *further_flags(job),
        *(fill(word, values) for word in container.arguments),
    ]


def bids_folder(job: Job) -> str:
    """The dataset that is the app's first argument: the raw one, or an input in its place."""
    here = {path for path, _ in job.unit.further}
    for further in job.study.further_inputs:
        registered = further.of(job.unit.subject).path
        if further.bids_dir and registered in here:
            return named_path(further, job.prepared.further_commits[registered], job.unit)
    return job.study.bids_path


def result_path(container: Container, unit: Unit) -> str:
    """Where the output dataset is most likely to hold a unit's results."""
    folder = output_folder(container, unit, container.outputs[0])
    if container.archive:
        return f"{folder}.zip"
    apart = unit.session and container.session_folders
    return f"{folder}/sub-{unit.subject}" if apart else f"{folder}/{unit.folder}"


def further_flags(job: Job) -> list[str]:
    """The flags that name the unit's further inputs; inputs of one flag follow it together."""
    here = {path for path, _ in job.unit.further}
    values: dict[str, list[str]] = {}
    for further in job.study.further_inputs:
        registered = further.of(job.unit.subject).path
        if further.flag and registered in here:
            path = named_path(further, job.prepared.further_commits[registered], job.unit)
            flag, *words = (word.replace("{path}", path) for word in further.flag)
            values.setdefault(flag, []).extend(words)
    return [word for flag, words in values.items() for word in (flag, *words)]


def placeholder_values(job: Job) -> dict[str, str]:
    """What stands for the placeholders in the app's arguments."""
    asked, granted = job.study.resources.job, job.requested
    threads = granted.cpus or asked.cpus
    mem_mb = granted.mem_mb or asked.mem_mb or 0
    bare = job.runtime is Runtime.NONE
    return {
        "threads": str(threads),
        "mem_mb": str(mem_mb),
        "mem_gb": str(max(1, mem_mb // 1024)),
        # Without a container DataLad makes a folder for each run, and each rerun.
        "work_dir": "{tmpdir}" if bare else WORK_DIR,
        "freesurfer_license": str(job.study.container.freesurfer_license) if bare else LICENSE,
        **{
            f"output_{n}": output_folder(job.study.container, job.unit, output)
            for n, output in enumerate(job.study.container.outputs, start=1)
        },
    }


def fill(word: str, values: Mapping[str, str]) -> str:
    """A word with its placeholders filled; DataLad formats it, so other braces are doubled."""
    parts = re.split(f"{{({'|'.join(values)})}}", word)
    # Literal text and names of placeholders take turns.
    escaped = [part.replace("{", "{{").replace("}", "}}") for part in parts[::2]]
    filled = [values[name] for name in parts[1::2]]
    return "".join(text for pair in zip(escaped, [*filled, ""], strict=True) for text in pair)


def filter_file(job: Job) -> str | None:
    """The unit's BIDS filter file, relative to the dataset; None without a filter."""
    if job.unit.is_group or not job.study.container.bids_filter:
        return None
    return f"code/bids_filter/{job.unit.name}.json"


def unit_filter(job: Job) -> str:
    """The BIDS filter of a unit, as JSON: a session unit's names the session."""
    filters = json.loads(job.study.container.bids_filter)
    if job.unit.session is not None:
        filters = {name: {"session": job.unit.session, **f} for name, f in filters.items()}
    return json.dumps(filters, indent=1, sort_keys=True)
