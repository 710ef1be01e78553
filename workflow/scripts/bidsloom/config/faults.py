"""Faults of a configuration.  Each names the key, its value, what is expected, and a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..base.errors import WorkflowFailure
from .amounts import find_amount_faults, find_length_faults
from .call_format import find_call_format_faults
from .content_faults import find_content_faults
from .environment import find_environment_faults
from .expects_faults import find_expects_faults
from .export_faults import find_export_faults
from .layout import new_output
from .places import find_place_faults
from .plain_values import shown
from .sbatch import find_sbatch_faults
from .schema import nearest
from .schema_faults import find_schema_faults
from .study import SUBJECT
from .values import as_list, value_at

# Placeholders in the app's arguments that a job fills in, and the key that each needs.
PLACEHOLDERS = {
    "threads": None,
    "mem_mb": "hpc.mem",
    "mem_gb": "hpc.mem",
    "work_dir": None,
    "freesurfer_license": "container.freesurfer_license",
}
# URL schemes from which datalad-container fetches images.
IMAGE_URLS = ("docker", "shub", "http", "https")
# Programs that a call format may name.
RUNTIMES = r"\b(apptainer|singularity|docker|podman|charliecloud|ch-run)\b"
# What the output dataset has at its root, beside inputs and outputs.
OWN_FILES = r"(readme|changes|license|citation)(\..*)?|dataset_description\.json"
OWN_FILES += r"|participants\.(tsv|json)|code|sub-[^/]*"


def find_faults(config: Any, base: Path) -> Iterator[WorkflowFailure]:
    """Every fault of a configuration; it is not raised but returned, so that all are shown."""
    if not isinstance(config, Mapping):
        yield WorkflowFailure(
            "The configuration is a list or a single value; expected: keys with values.",
            hint="start from config/config.yaml.",
        )
        return
    yield from find_schema_faults(config)
    yield from find_repetitions(config)
    yield from find_repository_faults(config)
    yield from find_container_faults(config)
    yield from find_first_argument_faults(config)
    yield from find_subjects_faults(config)
    yield from find_notify_faults(config)
    yield from find_content_faults(config)
    yield from find_hpc_faults(config)
    yield from find_place_faults(config, base)
    yield from find_expects_faults(config, base)
    yield from find_export_faults(config, base)


def find_container_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Keys of the section `container` that need or exclude each other."""
    container = value_at(config, "container")
    if not isinstance(container, Mapping):
        return
    runtime = container.get("runtime")
    if runtime == "none" and not container.get("call_fmt"):
        yield WorkflowFailure(
            "container.runtime is 'none', but container.call_fmt is empty.",
            hint='say how the image is run, for example call_fmt: "python3 -I {img} {cmd}".',
        )
    if runtime == "charliecloud" and not (container.get("executable") or container.get("call_fmt")):
        yield WorkflowFailure(
            "container.runtime is 'charliecloud', but container.executable is empty; "
            "Charliecloud starts no program by itself.",
            hint="name the app's program inside the image, the ENTRYPOINT of its Dockerfile.",
        )
    if container.get("group_level") and container.get("archive"):
        yield WorkflowFailure(
            "container.group_level and container.archive are both set, but the group level cannot "
            "read files that are packed in archives.",
            hint="delete one of the two.",
        )
    image = container.get("image")
    if isinstance(image, str) and "://" in image:
        scheme = image.partition("://")[0]
        if scheme not in IMAGE_URLS:
            yield WorkflowFailure(
                f"container.image is {shown('', image)}; expected: a path, or a URL that starts "
                f"with {', '.join(f'{known}://' for known in IMAGE_URLS)}.",
                hint=nearest(scheme, list(IMAGE_URLS)),
            )
        if container.get("dataset"):
            yield WorkflowFailure(
                f"container.image is the URL {shown('', image)}, but container.dataset is set.",
                hint="give the image's path inside that dataset, or delete container.dataset.",
            )
    call_fmt = container.get("call_fmt")
    if isinstance(call_fmt, str) and call_fmt:
        yield from find_call_format_faults(call_fmt)
    yield from find_length_faults(config)
    yield from find_placeholder_faults(config)


def find_first_argument_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Several inputs that would be the app's first argument."""
    inputs = as_list(value_at(config, "datalad", "inputs") or [])
    if sum(value_at(given, "bids_dir") is True for given in inputs) > 1:
        yield WorkflowFailure(
            "datalad.inputs sets bids_dir in several inputs; expected: in one at most.",
            hint="only one of them can be the app's first argument.",
        )


def find_hpc_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Amounts, options of sbatch and variables that no job can have."""
    yield from find_amount_faults(config)
    yield from find_sbatch_faults(value_at(config, "hpc", "sbatch"))
    environment = value_at(config, "hpc", "environment")
    if isinstance(environment, Mapping):
        yield from find_environment_faults(environment, runtime_of(config))


def runtime_of(config: Mapping) -> str:
    """The runtime by its key, or by the call format; `auto` where neither says."""
    runtime = value_at(config, "container", "runtime") or "auto"
    call_fmt = value_at(config, "container", "call_fmt")
    if runtime == "auto" and isinstance(call_fmt, str) and call_fmt:
        found = re.search(RUNTIMES, call_fmt)
        return found[0] if found else "none"
    return str(runtime)


def find_subjects_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Keys of the section `subjects` that exclude each other, or have no effect."""
    sessions = value_at(config, "subjects", "sessions")
    if sessions and value_at(config, "subjects", "processing_level") != "session":
        yield WorkflowFailure(
            "subjects.sessions is set, but a job processes a whole subject with all its sessions.",
            hint="set subjects.processing_level: session; or leave sessions to the app, by "
            "container.bids_filter.",
        )
    requirements = value_at(config, "subjects", "require")
    for number, filters in enumerate(requirements if isinstance(requirements, list) else []):
        if isinstance(filters, Mapping) and not set(filters) - {"min"}:
            yield WorkflowFailure(
                f"subjects.require.{number} is {shown('', filters)}, which names no files.",
                hint="for example {suffix: T1w}.",
            )


def find_notify_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Addresses for notifications in two places; only one of them would be read."""
    notify = value_at(config, "notify")
    if isinstance(notify, Mapping) and notify.get("urls_variable") and notify.get("urls_file"):
        yield WorkflowFailure(
            "notify.urls_variable and notify.urls_file are both set; expected: one of them.",
            hint="delete the other one.",
        )


def find_placeholder_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Placeholders in the app's arguments that are unknown, or have no value."""
    arguments = value_at(config, "container", "bids_args")
    outputs = as_list(value_at(config, "container", "outputs") or [""])
    known = [*PLACEHOLDERS, *(f"output_{n}" for n, _ in enumerate(outputs, start=1))]
    for number, given in enumerate(as_list(value_at(config, "datalad", "inputs") or [])):
        repo = value_at(given, "repo")
        if isinstance(repo, str) and set("{}") & set(repo.replace(SUBJECT, "")):
            key = f"datalad.inputs.{number}.repo"
            yield WorkflowFailure(
                f"{key} is {shown(key, repo)}, which holds another brace than that of {SUBJECT}.",
                hint=f"write {SUBJECT} where the subject's label belongs, without sub-.",
            )
        flag = value_at(given, "flag")
        if isinstance(flag, str) and set("{}") & set(flag.replace("{path}", "")):
            key = f"datalad.inputs.{number}.flag"
            yield WorkflowFailure(
                f"{key} is {shown(key, flag)}, which holds another brace than that of {{path}}.",
                hint="write {path} where the dataset's path belongs, and no other braces.",
            )
    for name, value in arguments.items() if isinstance(arguments, Mapping) else ():
        for word in re.findall(r"{(\w+)}", " ".join(map(str, as_list(value)))):
            key = f"container.bids_args.{name}"
            if word not in known:
                yield WorkflowFailure(
                    f"{key} contains {{{word}}}, which is not a known placeholder.",
                    hint=nearest(word, known),
                )
            needed = PLACEHOLDERS.get(word)
            if needed and not value_at(config, *needed.split(".")):
                yield WorkflowFailure(
                    f"{key} contains {{{word}}}, but {needed} is not set.",
                    hint=f"set {needed}, or give {key} a value of its own.",
                )


def find_repetitions(config: Mapping) -> Iterator[WorkflowFailure]:
    """Folders of the output dataset that are named twice, or are inside each other."""
    places = [("datalad.input_path", value_at(config, "datalad", "input_path") or "sourcedata/raw")]
    if value_at(config, "container", "dataset"):
        places.append(("container.dataset", "containers"))
    further = as_list(value_at(config, "datalad", "inputs") or [])
    places += [("datalad.inputs", value_at(given, "path")) for given in further]
    name = value_at(config, "container", "name")
    outputs = as_list(value_at(config, "container", "outputs") or [new_output(str(name))])
    outputs = [value_at(output, "path") or output for output in outputs]
    places += [("container.outputs", output) for output in outputs]
    named: list[tuple[str, str]] = []
    for key, place in places:
        if not isinstance(place, str):
            continue
        first = place.partition("/")[0].lower()
        if re.fullmatch(OWN_FILES, first) or place.rstrip("/").lower() == "sourcedata":
            yield WorkflowFailure(
                f"{key} names {shown(key, place)}, where the output dataset has files or folders "
                "of its own.",
                hint="give it another name, such as that of the app.",
            )
        for other_key, other in named:
            # Some file systems treat upper and lower case as the same.
            a, b = f"{place}/".lower(), f"{other}/".lower()
            if a.startswith(b) or b.startswith(a):
                yield WorkflowFailure(
                    f"{key} names {shown(key, place)}, which is the same folder as "
                    f"{shown(other_key, other)} of {other_key}, "
                    "or one of the two is inside the other; expected: separate folders.",
                    hint="give each a folder of its own.",
                )
        named.append((key, place))


def find_repository_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Output repositories that belong to no output, or to two."""
    repositories = as_list(value_at(config, "datalad", "output_repos") or [])
    outputs = as_list(value_at(config, "container", "outputs") or [""])
    own = [value_at(output, "repo") for output in outputs if isinstance(output, Mapping)]
    if len(repositories) > 1 and own:
        yield WorkflowFailure(
            "container.outputs names repositories, and so does datalad.output_repos beyond its "
            "first one.",
            hint="leave one repository in datalad.output_repos, that of the output dataset.",
        )
    elif len(repositories) > len(outputs):
        yield WorkflowFailure(
            f"datalad.output_repos lists {len(repositories)} repositories, but there are "
            f"{len(outputs)} container.outputs; expected: one for each output at most.",
            hint="the first repository is that of the output dataset, the second that of the "
            "second output, and so on.",
        )
    every = [str(repository) for repository in [*repositories, *own]]
    for repository in sorted({r for r in every if every.count(r) > 1}):
        yield WorkflowFailure(
            f"The output repository {shown('', repository)} is named twice.",
            hint="give each output dataset a repository of its own.",
        )
