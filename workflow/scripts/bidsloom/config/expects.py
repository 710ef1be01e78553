"""When a result is complete: `container.expects` in place, from a file, or a built-in set.

A file is a list as `expects` in place, or a mapping with that list under
`files` and further `crash_files`; the built-in sets, `workflow/completeness/`,
are such files.  A nipoppy tracker is read as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.errors import WorkflowFailure, refuse
from ..base.paths import COMPLETENESS
from .loading import load_json, load_yaml
from .plain_values import plain
from .study import Expectation
from .text_files import fault, read_text
from .values import app_arguments, as_list, resolve_path

# nipoppy's words for a unit, and ours.
TRACKER_WORDS = {
    "[[NIPOPPY_BIDS_PARTICIPANT_ID]]": "sub-{subject}",
    "[[NIPOPPY_PARTICIPANT_ID]]": "{subject}",
    "[[NIPOPPY_BIDS_SESSION_ID]]": "ses-{session}",
    "[[NIPOPPY_SESSION_ID]]": "{session}",
}
KINDS_OF_FILE = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Expected:
    """What a complete result holds, where that is from, and what files mean a crash."""

    name: str
    files: tuple[Expectation, ...]
    crash_files: tuple[str, ...]


def read_expects(container: Mapping, base: Path) -> Expected:
    """What the section `container`, without faults and with its defaults, expects of a result."""
    given, crash_files = container["expects"], tuple(container["crash_files"])
    arguments = list(app_arguments(container["bids_args"]))
    name, entries = "", given
    if isinstance(given, str):
        name = set_name(given)
        content = read_file(find_file(given, base)) if given else []
        entries = content["files"] if isinstance(content, Mapping) else content
        if isinstance(content, Mapping):
            crash_files = tuple(dict.fromkeys([*crash_files, *content.get("crash_files", [])]))
    files = (read_expectation(entry, arguments) for entry in entries)
    return Expected(name, tuple(file for file in files if file), crash_files)


def suggest_set(app_name: str, image: str) -> str:
    """The built-in set that fits an app's name or that of its image; empty if none does."""
    for text in (app_name, image.rstrip("/").rpartition("/")[2]):
        letters = re.sub(r"[^a-z0-9]", "", text.lower())
        for name in sorted(set_names(), key=len, reverse=True):
            if name.replace("_", "") in letters:
                return name
    return ""


def set_names() -> list[str]:
    """The names of the built-in sets."""
    return sorted(path.stem for path in COMPLETENESS.glob("*.yaml"))


def set_name(given: str) -> str:
    """The name of a set as its file has it (`xcp_d` for `XCP-D`); a path as it is."""
    return given if is_path(given) else given.lower().replace("-", "_")


def is_path(given: str) -> bool:
    """True for a file, false for the name of a set."""
    return "/" in given or given.endswith(KINDS_OF_FILE)


def find_file(given: str, base: Path) -> Path:
    """The file that holds a set, built in or the user's own."""
    if is_path(given):
        return resolve_path(given, base)
    return COMPLETENESS / f"{set_name(given)}.yaml"


def read_file(path: Path) -> Any:
    """The content of a file; of a nipoppy tracker, its paths in our words.

    Raises `ConfigFailure` where it cannot be read, or is neither YAML nor JSON.
    """
    text = read_text(path, what="The file", named_by="container.expects")
    problems: list[WorkflowFailure] = []
    try:
        read = load_json if path.suffix == ".json" else load_yaml
        content = plain(
            read(path, plain_json(text) if path.suffix == ".json" else text)[0], problems
        )
    except json.JSONDecodeError as e:
        raise fault(path, f"is not valid JSON: {e.msg}", "correct it.", line=e.lineno) from e
    refuse(problems)
    trackers = [c for c in as_list(content) if isinstance(c, Mapping) and "PATHS" in c]
    if not trackers:
        return content
    return [tracker_pattern(p) for tracker in trackers for p in as_list(tracker["PATHS"])]


def plain_json(text: str) -> str:
    """JSON without comments and trailing commas, which nipoppy allows."""
    string = r'"(?:\\.|[^"\\])*"'
    text = re.sub(rf"({string})|//[^\n]*|/\*.*?\*/", lambda m: m[1] or " ", text, flags=re.DOTALL)
    return re.sub(rf"({string})|,(?=\s*[\]}}])", lambda m: m[1] or "", text, flags=re.DOTALL)


def tracker_pattern(path: Any) -> Any:
    """A tracker's path as a pattern; braces mean nothing there."""
    if not isinstance(path, str):
        return path
    path = re.sub(r"[{}]", r"[\g<0>]", path)
    for theirs, ours in TRACKER_WORDS.items():
        path = path.replace(theirs, ours)
    return path


def read_expectation(entry: str | Mapping, arguments: Sequence[str]) -> Expectation | None:
    """An entry of `expects`; None for one that the app's arguments rule out."""
    if isinstance(entry, str):
        return Expectation(entry)
    if any(is_given(flag, arguments) for flag in entry.get("unless", [])):
        return None
    wanted = {name: tuple(as_list(value)) for name, value in entry.get("for_each", {}).items()}
    for name, flags in entry.get("by_flag", {}).items():
        values = [value for flag in flags for value in values_of(flag, arguments)]
        if not values:
            continue
        wanted[name] = tuple(v for v in wanted.get(name, values) if v in values)
        if not wanted[name]:
            return None
    return Expectation(
        pattern=entry["pattern"],
        at_least=entry.get("min", 1),
        for_each=tuple(wanted.items()),
        drop=tuple(entry.get("drop", [])),
        same=tuple(entry.get("same", [])),
        if_any=tuple(entry.get("if_any", [])),
    )


def is_given(flag: str, arguments: Sequence[str]) -> bool:
    """Whether a flag is among the app's arguments; `--level minimal`: with that value."""
    flag, _, value = flag.partition(" ")
    if value:
        return value in values_of(flag, arguments)
    return any(word == flag or word.startswith(f"{flag}=") for word in arguments)


def values_of(flag: str, arguments: Sequence[str]) -> list[str]:
    """The values that follow a flag."""
    values, follows = [], False
    for word in arguments:
        if word.startswith("-"):
            head, _, value = word.partition("=")
            follows = head == flag
            values += [value] if follows and value else []
        elif follows:
            values.append(word)
    return values
