"""A study's config file: its faults, and changes of it that keep comments and order."""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from ..base.errors import ConfigFailure, WorkflowFailure
from ..base.files import write_text
from ..config.loading import parse_config
from ..config.reading import examine, restore_on
from ..config.text_files import fault, read_text

# `- item` two columns further in than its key.
INDENTED_LIST = re.compile(
    r"^( *)[^\s#][^\n]*:[^\S\n]*(?:#[^\n]*)?\n(?:\s*#[^\n]*\n)*\1  +- ", re.M
)


def read_file(path: Path) -> str:
    """The text of a config file.  Raises `ConfigFailure` where it cannot be read."""
    return read_text(path, what="The config file", named_by="--config")


def version_of(text: str) -> str:
    """What tells a text from another one."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def value_of(path: Path, text: str) -> dict[str, Any]:
    """The values in a config's text.  Raises `ConfigFailure`, also for what JSON cannot hold."""
    value = dict(restore_on(parse_config(path, text)))
    try:
        same = json.loads(json.dumps(value, allow_nan=False)) == value
    except (ValueError, TypeError):
        same = False
    if not same:
        raise fault(path, "has keys or numbers that JSON does not have", "correct them.")
    return value


def find_faults(path: Path, text: str, *, base: Path) -> list[WorkflowFailure]:
    """All faults of a config's text, as the command line finds them."""
    try:
        return examine(parse_config(path, text), base=base)[1]
    except ConfigFailure as e:
        return e.problems


def difference(path: Path, old: str, new: str) -> str:
    """What differs between two texts, as `diff -u` shows it."""
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{path.name} as it is", f"{path.name} as changed", n=2,
        lineterm="",
    )  # fmt: skip
    return "\n".join(lines)


def with_value(path: Path, text: str, value: Mapping[str, Any]) -> str:
    """The text with other values; comments, order and all that stays equal are kept.

    Raises `ConfigFailure` where the text is no config, or does not say what it should.
    """
    old = value_of(path, text)
    if old == value:
        return text
    if path.suffix.lower() == ".json":
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 10_000
    if INDENTED_LIST.search(text):
        editor.indent(mapping=2, sequence=4, offset=2)
    document = editor.load(text)
    change(document, old, value)
    out = io.StringIO()
    editor.dump(document, out)
    new = out.getvalue()
    if value_of(path, new) != value:
        raise WorkflowFailure(
            f"The change cannot be written into {path.name} by the form.",
            hint="make it in the text of the file.",
        )
    return new


def change(node: CommentedMap, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Make a mapping of the document hold the new values; what is equal is not touched."""
    for key in old:
        if key not in new:
            node.pop(key, None)
    for key, value in new.items():
        if key in old and old[key] == value:
            continue
        if isinstance(node.get(key), CommentedMap) and isinstance(value, Mapping) and key in old:
            change(node[key], old[key], value)
        else:
            node[key if key in node else word(key)] = as_node(value)


def as_node(value: Any) -> Any:
    """A value as it is written: short lists on one line, texts in quotes where they need them."""
    if isinstance(value, str):
        return word(value)
    if isinstance(value, Mapping):
        made = CommentedMap((word(key), as_node(each)) for key, each in value.items())
        return made
    if isinstance(value, list):
        items = CommentedSeq(map(as_node, value))
        if not any(isinstance(item, list | Mapping) for item in value):
            items.fa.set_flow_style()
        return items
    return value


def word(text: str) -> str:
    """A text, in quotes where YAML 1.1 would read something else: 24:00:00, yes, 1e3."""
    try:
        same = yaml.safe_load(text) == text
    except (yaml.YAMLError, ValueError):
        same = False
    return text if same else DoubleQuotedScalarString(text)


def save(path: Path, text: str) -> None:
    """Replace the file; one that only its owner could read stays so."""
    mode = path.stat().st_mode & 0o777
    # A link stays a link.
    target = path.resolve()
    write_text(target, text, private=True)
    target.chmod(mode)
