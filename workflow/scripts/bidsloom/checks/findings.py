"""What is looked at before a study, and what was found there.

The same looks serve two readers: a start of Snakemake refuses, with a letter,
what stands in the way; `snakemake check` tells all of it in a table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from ..base.errors import ConfigFailure, WorkflowFailure
from ..base.files import read_json, write_json
from ..base.runners import node_name
from ..base.text import text_table


class Level(str, Enum):
    """How a look ended; a warning stops nothing."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "FAILURE"


class Caution(WorkflowFailure):
    """Worth knowing, and no reason to stop."""


def nothing() -> Any:
    """Check at nothing, and tell nothing."""


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    `check` refuses it with a `WorkflowFailure`.  `tell` says what is there,
    for the table alone, and may take its time; it may refuse, too.
    """

    what: str
    wanted: str
    check: Callable[[], object] = nothing
    tell: Callable[[], str | None] = nothing


@dataclass(frozen=True)
class Finding:
    """What a look found, and what to do about it."""

    what: str
    level: Level
    where: str
    found: str
    wanted: str
    remedy: str = ""
    failure: WorkflowFailure | None = None


def run_checks(looks: Iterable[Check], *, telling: bool = False) -> list[Finding]:
    """Take every look; with `telling` also say what is well."""
    return [run_check(look, telling=telling) for look in looks]


def run_check(look: Check, *, telling: bool) -> Finding:
    """Take one look."""
    where = node_name()
    try:
        look.check()
        said = look.tell() if telling else None
    except WorkflowFailure as e:
        level = Level.WARNING if isinstance(e, Caution) else Level.FAILURE
        return Finding(look.what, level, where, e.message, look.wanted, e.hint, e)
    return Finding(look.what, Level.OK, where, said or "", look.wanted)


def fault_findings(faults: Iterable[WorkflowFailure]) -> list[Finding]:
    """Faults of the config as findings."""
    wanted = "see config/README.md"
    return [
        Finding("config", Level.FAILURE, node_name(), fault.message, wanted, fault.hint, fault)
        for fault in faults
    ]


def failures(findings: Iterable[Finding]) -> list[WorkflowFailure]:
    """What stands in the way, as letters."""
    found = []
    for f in findings:
        if isinstance(f.failure, ConfigFailure):
            found += f.failure.problems
        elif f.level is Level.FAILURE:
            found.append(f.failure or WorkflowFailure(f"On {f.where}: {f.found}", hint=f.remedy))
    return found


def write_findings(path: Path, findings: Iterable[Finding]) -> None:
    """Keep findings for another process."""
    write_json(path, [dataclasses.asdict(replace(f, failure=None)) for f in findings])


def read_findings(path: Path) -> list[Finding]:
    """Findings that another process kept; none where it kept none."""
    return [Finding(**{**f, "level": Level(f["level"])}) for f in read_json(path) or []]


def findings_table(findings: Iterable[Finding]) -> str:
    """What was found, for the terminal; of one thing in one place the last and worst word."""
    worst: dict[tuple[str, str], Finding] = {}
    order = list(Level)
    for f in findings:
        known = worst.get((f.what, f.where))
        if known is None or order.index(f.level) >= order.index(known.level):
            worst[f.what, f.where] = f
    rows = [[f.level.value, f.what, f.where, f.found, f.wanted, f.remedy] for f in worst.values()]
    counts = [sum(row[0] == level.value for row in rows) for level in order]
    summary = "{} ok, {} warning(s), {} failure(s)".format(*counts)
    columns = ["", "what", "where", "found", "wanted", "remedy"]
    return f"{text_table(columns, rows)}\n\n{summary}"
