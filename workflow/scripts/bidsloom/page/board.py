"""The state of a study, computed once for all viewers, and what has changed since a version.

Nothing is read while nobody looks.  Who looks gets what is at most about a
second old; where nothing has changed, only small files and folders are looked
at, the jobs, and the store's branches.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..base.errors import ConfigFailure, WorkflowFailure
from ..base.paths import is_run_locked
from ..config import Study
from ..config.loading import key_of
from ..records.cancellations import list_cancelled
from ..records.merge_outcome import read_merge_outcome
from ..reporting.live_status import Sources, read_sources, settle_rows
from ..reporting.report import changing_facts, costly_facts, fixed_facts
from ..reporting.report_page import (
    NO_ROW,
    describe_detail,
    describe_states,
    in_columns,
    unit_cells,
)
from ..reporting.status_text import minutes_left
from ..reporting.unit_states import Row
from .memory import Memory, stamp
from .runs import Run
from .studies import Served

NO_ACTIVITY = {"run": None, "locked": False}
# How old a state may be, in seconds, before it is looked at again.
PERIOD = 1.0


@dataclass(frozen=True)
class View:
    """A study at one time; `changed` and `facts_changed` say in which version what became so.

    `listed` is the version in which the list of units became what it is.
    """

    version: int = 0
    made: str = ""
    rows: Mapping[str, Row] = field(default_factory=dict)
    cells: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    facts_changed: Mapping[str, int] = field(default_factory=dict)
    listed: int = 0


class Board:
    """Looks at one study for all who ask."""

    def __init__(self, served: Served) -> None:
        self.served = served
        # A version of another process means nothing to this one.
        self.name = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._view = View()
        self._looked = 0.0
        self._took = 0.0
        self._memory: Memory | None = None
        self._sources: object = None
        self._fixed: tuple[object, dict[str, Any]] = (None, {})
        self._findings: dict[str, Any] = {}
        self._rows: list[Row] = []
        # Of which rows, when, and how long it took.
        self._costly: tuple[object, float, float] = (None, 0.0, 0.0)

    def view(self, *, fresh: bool = False) -> View:
        """The study as it is now; `fresh` after an action."""
        with self._lock:
            now = time.monotonic()
            if fresh or not self._view.version or now - self._looked > max(PERIOD, self._took):
                self._view = self._look()
                self._looked = time.monotonic()
                self._took = self._looked - now
            return self._view

    def _look(self) -> View:
        """The next view: the last one, where nothing has changed."""
        faults: list[WorkflowFailure] = []
        warnings: list[WorkflowFailure] = []
        study = None
        try:
            study = self.served.study()
        except ConfigFailure as e:
            faults, study = e.problems, self.served.last_study()
        rows, cells = self._view.rows, self._view.cells
        # Of a config that could never be read, this is all.
        facts: dict[str, Any] = {"counts": {}, "causes": [], "activity": NO_ACTIVITY}
        if study is not None:
            rows, cells = self._look_at_units(study, warnings)
            self._find_costly(study)
            active = self.served.runs.active(study.files.actions)
            facts |= {
                **self._fixed[1],
                **self._findings,
                "merge": describe_merge(study),
                "activity": describe_activity(study, active, self.served.folder),
            }
        facts |= {
            "states": describe_states(),
            "faults": describe_faults(faults),
            "warnings": [{"message": w.message, "hint": w.hint} for w in warnings],
        }
        return next_view(self._view, rows, cells, facts)

    def _look_at_units(
        self, study: Study, warnings: list[WorkflowFailure]
    ) -> tuple[Mapping[str, Row], Mapping[str, dict[str, Any]]]:
        """All units; what follows from them is kept in `_findings`."""
        if self._memory is None:
            self._memory = Memory(study)
        sources = Sources((), (), None)
        if study.results.exists():
            sources = read_sources(
                study,
                warn=warnings.append,
                collect=self._memory.rows,
                read=self._memory.store,
                ask=self._memory.queue,
            )
        files = study.files
        others = [stamp(path) for path in (files.run, files.proof, files.bids, files.subjects)]
        key = (study, sources, list_cancelled(study), others)
        if self._fixed[0] != (study, stamp(files.prepared)):
            self._fixed = ((study, stamp(files.prepared)), fixed_facts(study))
        if key == self._sources:
            return self._view.rows, self._view.cells
        self._sources = key
        self._rows = settle_rows(study, sources)
        return self._describe_units(study, self._rows)

    def _describe_units(
        self, study: Study, rows: list[Row]
    ) -> tuple[Mapping[str, Row], Mapping[str, dict[str, Any]]]:
        """The cells of all units, and in `_findings` what follows from them."""
        facts = changing_facts(study, rows)
        cause_of = {name: n for n, cause in enumerate(facts["causes"]) for name in cause["units"]}
        self._findings |= {
            **facts,
            "causes": [{**cause, "units": len(cause["units"])} for cause in facts["causes"]],
            "minutes_left": minutes_left(rows),
        }
        cells = {}
        for row in rows:
            old = self._view.rows.get(row.unit)
            if old is row or old == row:
                cell = self._view.cells[row.unit]
                cause = cause_of.get(row.unit)
                cells[row.unit] = cell if cell["cause"] == cause else {**cell, "cause": cause}
            else:
                cells[row.unit] = live_cells(row, cause_of.get(row.unit))
        return {row.unit: row for row in rows}, cells

    def _find_costly(self, study: Study) -> None:
        """What takes a while is found again when that costs a tenth of the time at most."""
        now = time.monotonic()
        made_from, at, took = self._costly
        if made_from is self._rows or now - at < 9 * took:
            return
        facts = costly_facts(study, self._rows)
        position = {row.unit: n for n, row in enumerate(self._rows)}
        for crash in facts["crashes"]:
            crash["units"] = [position[u] for u in crash["units"] if u in position]
        self._findings |= facts
        self._costly = (self._rows, time.monotonic(), time.monotonic() - now)


def live_cells(row: Row, cause: int | None) -> dict[str, Any]:
    """What the page shows of a unit before it is opened."""
    told = describe_detail(row, {})
    detail: dict[str, Any] = {
        name: told[name]
        for name in ("reason", "failure_class", "exit_code", "next")
        if name in told
    }
    if last := next((line for line in reversed(told.get("log", [])) if line.strip()), ""):
        detail["log"] = [last]
    at_work = {"node": row.node, "since": row.since, "job": row.job}
    return {**unit_cells(row, cause), **at_work, "detail": detail or None}


def next_view(
    last: View,
    rows: Mapping[str, Row],
    cells: Mapping[str, dict[str, Any]],
    facts: Mapping[str, Any],
) -> View:
    """The view after another one: a new version only where something differs."""
    version = last.version + 1
    made = datetime.now(UTC).isoformat(timespec="seconds")
    same_list = cells is last.cells or list(cells) == list(last.cells)
    new = [] if cells is last.cells else [u for u in cells if differs(cells[u], last.cells.get(u))]
    new_facts = [
        name for name in facts if name not in last.facts or facts[name] != last.facts[name]
    ]
    if last.version and same_list and not new and not new_facts:
        return View(**{**vars(last), "made": made})
    return View(
        version=version,
        made=made,
        rows=rows,
        cells=cells,
        changed={**last.changed, **dict.fromkeys(new, version)},
        facts=facts,
        facts_changed={**last.facts_changed, **dict.fromkeys(new_facts, version)},
        listed=last.listed if same_list and last.version else version,
    )


def differs(cells: object, old: object) -> bool:
    """Whether a unit's cells have changed; most are the same object."""
    return cells is not old and cells != old


def differences(view: View, since: int | None) -> dict[str, Any]:
    """What a viewer lacks who has seen version `since`; None has seen nothing."""
    if since is None or since > view.version or since < view.listed:
        columns = in_columns(view.cells.values(), names=live_cells(NO_ROW, None))
        details = columns.pop("detail")
        return {
            "full": True,
            "facts": dict(view.facts),
            "units": columns,
            "details": {n: detail for n, detail in enumerate(details) if detail},
        }
    return {
        "full": False,
        "facts": {n: v for n, v in view.facts.items() if view.facts_changed[n] > since},
        "changed": [view.cells[u] for u in view.cells if view.changed[u] > since],
    }


def describe_merge(study: Study) -> dict[str, Any] | None:
    """The last merge: when it was, what it added, what main holds; None before the first one."""
    outcome = read_merge_outcome(study)
    at = stamp(study.files.merged)[0]
    if not at:
        return None
    return {
        "at": datetime.fromtimestamp(at / 1e9, UTC).isoformat(timespec="seconds"),
        "added": len(outcome.merged_now),
        "merged": len(outcome.merged),
        "left_out": len(outcome.unmerged) + len(outcome.held),
        "main": outcome.main,
    }


def describe_activity(study: Study, run: Run | None, folder: Path) -> dict[str, Any]:
    """What runs now; without it, whether a run that was killed left Snakemake's lock."""
    return {"run": run and run.to_json(), "locked": run is None and is_run_locked(folder)}


def describe_faults(faults: Sequence[WorkflowFailure]) -> list[dict[str, str]]:
    """Faults of a config for programs; `key` is where the fault is, empty if nobody knows."""
    return [
        {"key": config_key(fault), "message": fault.message, "hint": fault.hint} for fault in faults
    ]


def config_key(fault: WorkflowFailure) -> str:
    """The key that a fault is about, in dots; empty for one of the file as a whole."""
    key = key_of(fault)
    return key if key[:1].isalpha() and all(c.isalnum() or c in "._-" for c in key) else ""
