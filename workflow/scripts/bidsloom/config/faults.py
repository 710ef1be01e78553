"""Faults of a configuration.  Each names the key, its value, what is expected, and a hint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema
import yaml

from ..base.errors import WorkflowFailure
from ..base.paths import SCHEMA_FILE

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
LABELS = ("include", "exclude", "sessions", "require", "accept")
LABEL_KEYS = tuple(f"subjects.{key}" for key in LABELS)
QUOTES = 'put labels in quotes, "001"; without them YAML reads a number and drops the zeros.'


@cache
def load_schema() -> dict:
    """The schema of the configuration."""
    return yaml.safe_load(SCHEMA_FILE.read_text())


def find_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """Every fault of a configuration; it is not raised but returned, so that all are shown."""
    if not isinstance(config, Mapping):
        yield WorkflowFailure(
            f"The configuration is {config!r}; expected: keys with values.",
            hint="start from config/config.yaml.",
        )
        return
    validator = jsonschema.Draft202012Validator(load_schema())
    for error in sorted(validator.iter_errors(config), key=lambda e: [str(p) for p in e.path]):
        yield from describe(error)
    yield from find_repetitions(config)
    yield from find_repository_faults(config)
    yield from find_container_faults(config)
    yield from find_subjects_faults(config)
    yield from find_notify_faults(config)


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
                f"container.image is {image!r}; expected: a path, or a URL that starts with "
                f"{', '.join(f'{known}://' for known in IMAGE_URLS)}.",
                hint=nearest(scheme, list(IMAGE_URLS)),
            )
        if container.get("dataset"):
            yield WorkflowFailure(
                f"container.image is the URL {image!r}, but container.dataset is set.",
                hint="give the image's path inside that dataset, or delete container.dataset.",
            )
    yield from find_placeholder_faults(config)


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
                f"subjects.require.{number} is {dict(filters)!r}, which names no files.",
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
    outputs = as_list(value_at(config, "container", "outputs") or [])
    outputs = [value_at(output, "path") or output for output in outputs]
    places += [("container.outputs", output) for output in outputs]
    named: list[tuple[str, str]] = []
    for key, place in places:
        if not isinstance(place, str):
            continue
        for other_key, other in named:
            # Some file systems treat upper and lower case as the same.
            a, b = f"{place}/".lower(), f"{other}/".lower()
            if a.startswith(b) or b.startswith(a):
                yield WorkflowFailure(
                    f"{key} names {place!r}, which is the same folder as {other!r} of {other_key}, "
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
            f"The output repository {repository!r} is named twice.",
            hint="give each output dataset a repository of its own.",
        )


def value_at(config: Any, *keys: str) -> Any:
    """The value under nested keys, or None."""
    for key in keys:
        if not isinstance(config, Mapping):
            return None
        config = config.get(key)
    return config


def describe(error: jsonschema.ValidationError) -> Iterator[WorkflowFailure]:
    """A schema error in words that name the key, its value and what to do."""
    key = ".".join(str(p) for p in error.absolute_path) or "the configuration"
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        for name in sorted(set(instance) - set(known), key=str):
            full = f"{key}.{name}" if error.absolute_path else str(name)
            yield WorkflowFailure(f"{full} is not a known key.", hint=nearest(str(name), known))
        return
    if error.validator == "required":
        required: Any = error.validator_value
        missing = [name for name in required if name not in instance]
        # jsonschema reports each missing key by itself; its message starts with the name.
        name = next((n for n in missing if error.message.startswith(repr(n))), missing[0])
        full = ".".join([*(str(p) for p in error.absolute_path), name])
        yield WorkflowFailure(
            f"{full} is missing.", hint="config/README.md describes every key, with examples."
        )
        return
    if "propertyNames" in error.absolute_schema_path:
        yield WorkflowFailure(
            f"{key} has the name {error.instance!r}, which cannot be used there.",
            hint="names consist of letters, digits, '-' and '_'.",
        )
        return
    wanted = {
        "type": lambda: f"a value of type {' or '.join(as_list(schema.get('type')))}",
        "enum": lambda: "one of " + ", ".join(map(str, schema["enum"])),
        "minItems": lambda: f"at least {schema['minItems']} item(s)",
        "maxItems": lambda: f"at most {schema['maxItems']} item(s)",
        "minimum": lambda: f"at least {schema['minimum']}",
        "minLength": lambda: "a text that is not empty",
        "pattern": lambda: f"a text of the form {schema['pattern']}",
    }.get(str(error.validator), lambda: error.message)()
    # The value may be a secret.
    secret = key.startswith(("notify", "hpc.environment"))
    value = "not valid" if secret else repr(error.instance)
    yield WorkflowFailure(f"{key} is {value}; expected: {wanted}.", hint=hint_for(key, error))


def hint_for(key: str, error: jsonschema.ValidationError) -> str:
    """What to type instead."""
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if key == "hpc.time" and isinstance(error.instance, int):
        return 'put it in quotes, time: "24:00:00"; without them YAML reads a number.'
    if error.validator == "enum" and isinstance(error.instance, str):
        return nearest(error.instance, [str(v) for v in schema["enum"]])
    is_label = error.validator == "type" and key.startswith(LABEL_KEYS)
    if is_label and isinstance(error.instance, int | float):
        return QUOTES
    examples = schema.get("examples")
    if examples:
        return f"for example {examples[0]!r}."
    return f"{schema.get('description', 'see config/README.md')}"


def nearest(name: str, known: list[str]) -> str:
    """A hint with the known name that is most similar to `name`, else with all of them."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}."


def as_list(value: Any) -> list:
    """A scalar as a list of one."""
    return value if isinstance(value, list) else [value]
