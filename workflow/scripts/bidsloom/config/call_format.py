"""`container.call_fmt`: whether DataLad can format it, and a shell can read it.

It is a shell's text by its nature.  Two programs format it: containers-run
fills in the names in single braces, then run those in double braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

from ..base.errors import CommandError, WorkflowFailure
from ..base.runners import call

# Of datalad-container's containers-run, and of DataLad's run.
NAMES = ("img", "cmd", "img_dspath", "img_dirpath", "python")
LATER_NAMES = ("pwd", "dspath", "tmpdir", "inputs", "outputs")
KEY = "container.call_fmt"
FOUR_TIMES = "a brace that is meant as it stands is written four times."


def find_call_format_faults(text: str) -> Iterator[WorkflowFailure]:
    """Why a call format cannot be used."""
    # What stands for a name may hold no braces for the second formatting.
    once, problem = fill_in(text, NAMES, "x")
    if problem:
        yield WorkflowFailure(
            f"{KEY} is {text!r}, in which {problem}.",
            hint=f"known: {in_braces(NAMES, 1)}, and {in_braces(LATER_NAMES, 2)}; {FOUR_TIMES}",
        )
        return
    twice, problem = fill_in(once, LATER_NAMES, "x")
    if problem:
        yield WorkflowFailure(
            f"{KEY} is {text!r}; once its names are filled in, {problem}.",
            hint=f"known: {in_braces(LATER_NAMES, 2)}; {FOUR_TIMES}",
        )
        return
    try:
        # It only reads the text; sh is what DataLad's run hands it to.
        call(["/bin/sh", "-n"], cwd=Path("/"), stdin=f"{twice}\n", timeout=10)
    except CommandError as e:
        said = " ".join(e.stderr.split())
        yield WorkflowFailure(
            f"{KEY} is {text!r}, which a shell cannot read: {said}",
            hint="look for a quotation mark or a bracket that is not closed.",
        )


def fill_in(text: str, names: tuple[str, ...], value: str) -> tuple[str, str]:
    """The text with a value for each name, and what is wrong with it, empty for nothing."""
    parts = []
    try:
        for literal, name, spec, conversion in Formatter().parse(text):
            parts.append(literal)
            if name is None:
                continue
            # DataLad's run also knows {outputs[0]}.
            if re.sub(r"\[\d+\]$", "", name) not in names:
                return "", f"{{{name}}} is not a known placeholder"
            if spec or conversion:
                return "", f"{{{name}}} has a ':' or a '!'"
            parts.append(value)
    except ValueError as e:
        return "", f"braces do not pair ({e})"
    return "".join(parts), ""


def in_braces(names: tuple[str, ...], times: int) -> str:
    """Placeholders as they are written."""
    return ", ".join(f"{'{' * times}{name}{'}' * times}" for name in names)
