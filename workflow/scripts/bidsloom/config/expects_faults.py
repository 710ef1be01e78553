"""Faults of `container.expects`, `crash_files`, `leave_out` and `evidence`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..base.errors import ConfigFailure, WorkflowFailure
from ..base.patterns import to_regex
from .expects import TRACKER_WORDS, find_file, is_path, read_file, set_name, set_names
from .plain_values import shown
from .schema import QUOTES, load_schema, nearest
from .schema_faults import find_schema_faults
from .values import as_list, value_at

# pybids' entities, and those of them whose values are numbers; loading them
# from pybids takes a second at each start.  A unit test compares the two.
ENTITIES = (
    ("subject", "session", "sample", "task", "tracksys", "acquisition", "nucleus", "volume")
    + ("ceagent", "staining", "tracer", "reconstruction", "direction", "run", "proc", "modality")
    + ("echo", "flip", "inv", "mt", "part", "recording", "space", "chunk", "suffix", "scans")
    + ("fmap", "datatype", "extension")
)
NUMBERED = ("run", "echo", "flip", "inv", "chunk")
PLACEHOLDERS = ("subject", "session")
PATTERN_KEYS = ("crash_files", "leave_out", "evidence")


def find_expects_faults(config: Mapping, base: Path) -> Iterator[WorkflowFailure]:
    """What is wrong with the patterns of the container section, and with the file they are in."""
    container = value_at(config, "container")
    if not isinstance(container, Mapping):
        return
    for name in PATTERN_KEYS:
        patterns = container.get(name)
        for number, pattern in enumerate(patterns if isinstance(patterns, list) else []):
            yield from pattern_faults(f"container.{name}.{number}", pattern)
    given = container.get("expects")
    if isinstance(given, list):
        yield from entries_faults("container.expects", given)
    elif isinstance(given, str) and given:
        yield from file_faults(given, base)


def file_faults(given: str, base: Path) -> Iterator[WorkflowFailure]:
    """What is wrong with the file, or the name of a set, that `container.expects` names."""
    try:
        path = find_file(given, base)
    except (ValueError, RuntimeError):
        return  # `places` says so
    if not is_path(given) and set_name(given) not in set_names():
        yield WorkflowFailure(
            f"container.expects is {shown('', given)}, which is no built-in set.",
            hint=nearest(set_name(given), set_names())
            + " The path of a file ends with .yaml or .json.",
        )
        return
    try:
        content = read_file(path)
    except ConfigFailure as e:
        reason = " ".join(" ".join(problem.message.split()) for problem in e.problems)
        yield WorkflowFailure(
            f"container.expects names {path}, which cannot be read: {reason}",
            hint="give the name of a built-in set, or the path of a YAML file or a nipoppy "
            f"tracker; built in: {', '.join(set_names())}.",
        )
        return
    crash_files: Any = []
    if isinstance(content, Mapping) and set(content) <= {"files", "crash_files"}:
        crash_files, content = content.get("crash_files", []), content.get("files")
    if not isinstance(content, list) or not isinstance(crash_files, list) or not content:
        yield WorkflowFailure(
            f"container.expects names {path}, which lists no files.",
            hint="expected: a list of patterns, or a mapping with the keys files and crash_files.",
        )
        return
    schema = load_schema()["properties"]["container"]["properties"]["expects"]["items"]
    for number, entry in enumerate(content):
        for problem in find_schema_faults(entry, schema):
            said = problem.message.replace("the configuration", "it")
            yield WorkflowFailure(f"{path}: files.{number}: {said}", hint=problem.hint)
    yield from entries_faults(f"{path}: files", content)
    for number, pattern in enumerate(crash_files):
        yield from pattern_faults(f"{path}: crash_files.{number}", pattern)


def entries_faults(key: str, entries: list) -> Iterator[WorkflowFailure]:
    """What is wrong with the entries of `expects`, beyond what the schema says."""
    for number, entry in enumerate(entries):
        pattern = entry.get("pattern") if isinstance(entry, Mapping) else entry
        yield from pattern_faults(f"{key}.{number}", pattern)
        if not isinstance(entry, Mapping):
            continue
        for name in ("for_each", "drop", "same", "if_any", "by_flag"):
            value = entry.get(name, [])
            if not isinstance(value, list | Mapping):
                continue
            for entity in value:
                yield from entity_faults(f"{key}.{number}.{name}", entity, value)
            if value and name != "for_each" and not entry.get("for_each"):
                yield WorkflowFailure(
                    f"{key}.{number} has {name}, which means nothing without for_each.",
                    hint="for example for_each: {suffix: bold}.",
                )


def entity_faults(key: str, entity: Any, owner: list | Mapping) -> Iterator[WorkflowFailure]:
    """An entity that pybids does not know, or a label that YAML read as a number."""
    if entity not in ENTITIES:
        yield WorkflowFailure(
            f"{key}: {entity} is no entity of BIDS that pybids knows.",
            hint=nearest(str(entity), list(ENTITIES)),
        )
    elif isinstance(owner, Mapping) and entity not in NUMBERED:
        for value in as_list(owner[entity]):
            if isinstance(value, int):
                yield WorkflowFailure(
                    f"{key}.{entity} is {value!r}; expected: a text.", hint=QUOTES
                )


def pattern_faults(key: str, pattern: Any) -> Iterator[WorkflowFailure]:
    """Why a pattern can match no file of any unit's result."""
    if not isinstance(pattern, str):
        return
    if reason := why_nothing_matches(pattern):
        yield WorkflowFailure(
            f"{key} is {pattern!r}, which can match no file: {reason}.",
            hint="a pattern is relative to the app's output folder, for example "
            "'sub-{subject}/**/*_desc-preproc_T1w.nii.gz'.",
        )
    words = re.findall(r"{(\w*)}", pattern) + re.findall(r"\[\[(\w*)\]\]", pattern)
    for word in words:
        if word not in PLACEHOLDERS:
            known = [*PLACEHOLDERS, *(w.strip("[]") for w in TRACKER_WORDS)]
            yield WorkflowFailure(
                f"{key} is {pattern!r}, which holds the unknown placeholder {word!r}.",
                hint=nearest(word, known if word.startswith("NIPOPPY") else list(PLACEHOLDERS)),
            )


def why_nothing_matches(pattern: str) -> str:
    """The reason in words; empty if the pattern may match."""
    parts = pattern.split("/")
    if not pattern.strip():
        return "it is empty"
    if pattern.startswith(("/", "~")):
        return "it is absolute"
    if {".", ".."} & set(parts):
        return "it has a part '.' or '..'"
    if "" in parts:
        return "it has an empty part, '//' or a '/' at its end"
    if parts[0] in (".git", ".datalad"):
        return f"{parts[0]} lies outside every output"
    if "\0" in pattern or "\n" in pattern:
        return "it holds a line break or a null character"
    if match := re.search(r"(?:^|/)(sub-[A-Za-z0-9+]+)", pattern):
        return f"it names the subject {match[1]}; write sub-{{subject}}"
    try:
        to_regex(re.sub(r"{\w*}", "x", pattern))
    except ValueError as e:
        return f"it has {e}"
    return ""
