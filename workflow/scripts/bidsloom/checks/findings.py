"""Checks before a study runs, and what they found.

The same checks have two uses.  When Snakemake starts, a failed check ends it
with an error message; `snakemake check` shows all findings in a table.
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
    """How a check ended; a warning does not stop anything."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "FAILURE"


class Caution(WorkflowFailure):
    """A problem that the user should know, but no reason to stop: a warning in the table."""


def nothing() -> Any:
    """Check nothing, and say nothing."""


@dataclass(frozen=True)
class Check:
    """One thing to check; `what` names it, `wanted` says what is expected.

    `check` raises a `WorkflowFailure` where it is not as expected.  `tell`
    returns what is there; it is called only for the table, so it may be slow,
    and it may raise a `WorkflowFailure` too.
    """

    what: str
    wanted: str
    check: Callable[[], object] = nothing
    tell: Callable[[], str | None] = nothing


@dataclass(frozen=True)
class Finding:
    """What a check found, and what to do about it; `where` is the node."""

    what: str
    level: Level
    where: str
    found: str
    wanted: str
    remedy: str = ""
    failure: WorkflowFailure | None = None


def run_checks(checks: Iterable[Check], *, telling: bool = False) -> list[Finding]:
    """Run every check; with `telling` also find out what is there, for the table."""
    return [run_check(check, telling=telling) for check in checks]


def run_check(check: Check, *, telling: bool) -> Finding:
    """Run one check; a failure becomes a finding and is not raised."""
    where = node_name()
    try:
        check.check()
        said = check.tell() if telling else None
    except WorkflowFailure as e:
        level = Level.WARNING if isinstance(e, Caution) else Level.FAILURE
        return Finding(check.what, level, where, e.message, check.wanted, e.hint, e)
    return Finding(check.what, Level.OK, where, said or "", check.wanted)


def fault_findings(faults: Iterable[WorkflowFailure]) -> list[Finding]:
    """Faults of the config as findings."""
    wanted = "see config/README.md"
    return [
        Finding("config", Level.FAILURE, node_name(), fault.message, wanted, fault.hint, fault)
        for fault in faults
    ]


def failures(findings: Iterable[Finding]) -> list[WorkflowFailure]:
    """The findings that stop a start, each as a `WorkflowFailure`."""
    found = []
    for f in findings:
        if isinstance(f.failure, ConfigFailure):
            found += f.failure.problems
        elif f.level is Level.FAILURE:
            found.append(f.failure or WorkflowFailure(f"On {f.where}: {f.found}", hint=f.remedy))
    return found


def write_findings(path: Path, findings: Iterable[Finding]) -> None:
    """Write findings to a file, for another process."""
    write_json(path, [dataclasses.asdict(replace(f, failure=None)) for f in findings])


def read_findings(path: Path) -> list[Finding]:
    """The findings in a file that another process wrote; none where there is no file."""
    return [Finding(**{**f, "level": Level(f["level"])}) for f in read_json(path) or []]


def findings_table(findings: Iterable[Finding]) -> str:
    """All findings as a table for the terminal; for one thing on one node, only the worst."""
    worst: dict[tuple[str, str], Finding] = {}
    order = list(Level)
    for f in findings:
        known = worst.get((f.what, f.where))
        # Of equals, the last one: it was made later.
        if known is None or order.index(f.level) >= order.index(known.level):
            worst[f.what, f.where] = f
    rows = [[f.level.value, f.what, f.where, f.found, f.wanted, f.remedy] for f in worst.values()]
    counts = [sum(row[0] == level.value for row in rows) for level in order]
    summary = "{} ok, {} warning(s), {} failure(s)".format(*counts)
    columns = ["", "what", "where", "found", "wanted", "remedy"]
    return f"{text_table(columns, rows)}\n\n{summary}"
