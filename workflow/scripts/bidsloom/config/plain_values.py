"""What holds for every key: plain values, texts without hidden characters, no huge numbers.

The values may come from a file, from Snakemake's command line, or from a
program, so nothing is taken for granted, not even that keys are texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..base.errors import WorkflowFailure
from .text_files import CONTROL

MAX_DEPTH = 60
MAX_NUMBER = 2**53
# Keys whose texts may have several lines; those below them as well.
SEVERAL_LINES: tuple[str, ...] = ("subjects.where", "container.bids_args", "container.group_args")
SEVERAL_LINES += ("container.bids_filter", "hpc.environment")
# Keys whose values may be secrets.
SECRET = ("notify", "hpc.environment")
LONGEST_SHOWN = 200


def plain(config: Any, faults: list[WorkflowFailure], key: str = "", depth: int = 0) -> Any:
    """The same values as dicts, lists, texts, numbers, booleans and None.

    What is none of these is noted in `faults`, and replaced, so that all other
    keys can still be looked at.
    """
    if depth > MAX_DEPTH:
        faults.append(
            WorkflowFailure(
                f"{key} holds more than {MAX_DEPTH} lists or mappings inside each other.",
                hint="look for brackets that are not closed.",
            )
        )
        return None
    if isinstance(config, Mapping):
        mapping = {}
        for name, value in config.items():
            faults += key_faults(key, name)
            inner = f"{key}.{name}" if key else str(name)
            mapping[str(name)] = plain(value, faults, inner, depth + 1)
        return mapping
    if isinstance(config, list | tuple):
        return [
            plain(value, faults, f"{key}.{n}" if key else str(n), depth + 1)
            for n, value in enumerate(config)
        ]
    if isinstance(config, str):
        found = [*text_faults(key, config)]
        faults += found
        return re.sub(r"[\n\r]", "?", CONTROL.sub("?", config)) if found else str(config)
    if config is None or isinstance(config, bool):
        return config
    if isinstance(config, int | float):
        # Of an integer first: one of 400 digits is no float.
        if abs(config) <= MAX_NUMBER:
            return config
        what = str(config) if isinstance(config, float) else "a number of very many digits"
        faults.append(
            WorkflowFailure(
                f"{key or 'The configuration'} is {what}; expected: a number of usual size.",
                hint="write a smaller number; for no limit, delete the key.",
            )
        )
        return 1
    faults.append(
        WorkflowFailure(
            f"{key or 'The configuration'} is a value of the kind {type(config).__name__}; "
            "expected: a text, a number, true or false, a list, or keys with values.",
            hint="put it in quotes.",
        )
    )
    return str(config) if key else None


def key_faults(key: str, name: Any) -> Iterator[WorkflowFailure]:
    """What is wrong with the name of a key, whatever it is for."""
    where = key or "The configuration"
    if not isinstance(name, str):
        yield WorkflowFailure(
            f"{where} has the key {shorten(repr(name))}, which is no text.",
            hint=f'put it in quotes, "{shorten(str(name))}".',
        )
    elif CONTROL.search(name) or "\n" in name or "\r" in name:
        yield WorkflowFailure(
            f"{where} has the key {shorten(repr(name))}, which holds a line break or a control "
            "character.",
            hint="write it again by hand.",
        )


def text_faults(key: str, text: str) -> Iterator[WorkflowFailure]:
    """Characters that a key's text cannot hold."""
    if found := CONTROL.search(text):
        what = "a null character" if found[0] == "\0" else f"the character {found[0]!r}"
        yield WorkflowFailure(
            f"{key} holds {what}, which cannot be used.", hint="write the value again by hand."
        )
    elif re.search(r"[\n\r]", text) and not is_below(key, SEVERAL_LINES):
        yield WorkflowFailure(
            f"{key} is {shown(key, text)}, which holds a line break.",
            hint="write the value on one line; with `|` and `>` YAML adds a line break at the end.",
        )


def is_below(key: str, keys: tuple[str, ...]) -> bool:
    """Whether a key is one of some keys, or is inside one."""
    return any(key == other or key.startswith(f"{other}.") for other in keys)


def shown(key: str, value: Any) -> str:
    """A value as a fault may show it: not too long, and without secrets."""
    if is_below(key, SECRET) or (key == "hpc" and isinstance(value, list | Mapping)):
        return "not valid"
    return shorten(re.sub(r"//[^/@\s'\"]*@", "//***@", repr(value)))


def shorten(text: str) -> str:
    """The start of a long text."""
    return (
        text
        if len(text) <= LONGEST_SHOWN
        else f"{text[:LONGEST_SHOWN]}... ({len(text)} characters)"
    )
