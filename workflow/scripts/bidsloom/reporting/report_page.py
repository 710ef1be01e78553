"""The report's page: one file with its data, its style and its script; it loads nothing else.

The template is `report_page.html`, style and script are `report_page.css` and
`report_page.js`, which the live page uses too.  The data is put into it as
JSON, with a column for each property of the units: a browser reads 50,000
units in a fraction of a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..records.unit_state import UnitState
from ..units.unit import subject_of
from .unit_pages import Link
from .unit_states import Row, describe_attempt

TEMPLATE = Path(__file__).with_name("report_page.html")
STYLE = TEMPLATE.with_suffix(".css")
SCRIPT = TEMPLATE.with_suffix(".js")
# What of a unit's usage is shown.
USAGE = ["memory_mb", "mem_mb", "minutes", "cpus", "busy_cpus", "output_bytes"]
USAGE += ["run_seconds", "fetch_seconds", "lock_seconds", "push_seconds"]
# The page has the last lines of this many failed units; the others' are in their files.
LOGS = 2000
# Of one unit it names at most so many entries that were not saved, or were changed.
ENTRIES = 50
# Has the properties of every row.
NO_ROW = Row("", UnitState.WAITING)
# Unit -> kind of files -> links to them.
Links = Mapping[str, Mapping[str, Sequence[Link]]]
# Colour codes of terminals, and other characters that no text needs.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Pages:
    """HTML reports in the output folder, by unit; `figures` are kept by subject or session."""

    by_unit: Mapping[str, list[str]] = field(default_factory=dict)
    figures: str = ""

    @classmethod
    def of(cls, files: Iterable[str], *, figures: str = "") -> Pages:
        """Files by the unit whose name they start with; a session's folder counts.

        >>> Pages.of(["sub-1.html", "sub-1_ses-a_T1w.html", "ses-b/sub-1.html"]).by_unit
        {"sub-1": ["sub-1.html", "sub-1_ses-a_T1w.html"],
         "sub-1_ses-a": ["sub-1_ses-a_T1w.html"],
         "sub-1_ses-b": ["ses-b/sub-1.html"]}
        """
        found: dict[str, list[str]] = {}
        for name in files:
            folder, _, file = name.rpartition("/")
            parts = file.partition(".")[0].split("_")
            subject = parts[0]
            session = f"_{parts[1]}" if parts[1:] and parts[1].startswith("ses-") else ""
            units = {f"{subject}_{folder}"} if folder else {subject, subject + session}
            for unit in units:
                found.setdefault(unit, []).append(name)
        return cls(found, figures)

    def of_unit(self, unit: str) -> list[str]:
        """A unit's reports; a session has its subject's where it has none."""
        own = self.by_unit.get(unit)
        return own or [n for n in self.by_unit.get(subject_of(unit), []) if "_" not in n]


def render_page(
    facts: dict, rows: Sequence[Row], *, pages: Pages, links: Links | None = None
) -> str:
    """The report as one self-contained page, with links to the units' own pages beside it."""
    data = page_data(facts, rows, pages=pages, links=links or {})
    parts = {
        "@STYLE@": STYLE.read_text(encoding="utf-8"),
        "@SCRIPT@": SCRIPT.read_text(encoding="utf-8"),
        "@TITLE@": escape(facts["study"]),
        "@DATA@": script_json(data),
    }
    # In one pass: what is put in is not looked through.
    return re.sub("|".join(parts), lambda found: parts[found[0]], TEMPLATE.read_text("utf-8"))


def page_data(facts: dict, rows: Sequence[Row], *, pages: Pages, links: Links) -> dict:
    """What the page shows: the facts, and the units in columns."""
    position = {row.unit: n for n, row in enumerate(rows)}
    crashes = [
        {**crash, "units": [position[name] for name in crash["units"] if name in position]}
        for crash in facts.get("crashes", ())
    ]
    causes = [{**cause, "units": len(cause["units"])} for cause in facts["causes"]]
    cause_of = {name: n for n, cause in enumerate(facts["causes"]) for name in cause["units"]}
    return {
        **facts,
        "causes": causes,
        "crashes": crashes,
        "states": describe_states(),
        "figures": pages.figures,
        "pages": [
            pages.of_unit(row.unit) if row.state is UnitState.MERGED else None for row in rows
        ],
        "units": in_columns(
            (unit_cells(row, cause_of.get(row.unit)) for row in rows),
            names=unit_cells(NO_ROW, None),
        ),
        "details": describe_details(rows, links),
    }


def describe_states() -> dict[str, dict[str, Any]]:
    """How the page shows each state."""
    return {
        state: {
            "tone": state.tone,
            "mark": state.mark,
            "meaning": state.meaning,
            "outside": state.is_outside,
        }
        for state in UnitState
    }


def unit_cells(row: Row, cause: int | None) -> dict[str, Any]:
    """What the table and the plots show of a unit; `cause` is the number of its cause."""
    usage = usage_facts(row)
    return {
        "unit": row.unit,
        "state": row.state,
        "cause": cause,
        "attempts": row.attempts,
        "seconds": row.seconds,
        "commit": row.commit,
        **{name: shortened(usage.get(name)) for name in USAGE},
    }


def in_columns(units: Iterable[Mapping[str, Any]], *, names: Iterable[str]) -> dict[str, list]:
    """A list for each property, in place of a mapping for each unit."""
    units = list(units)
    return {name: [unit[name] for unit in units] for name in names}


def usage_facts(row: Row) -> dict[str, Any]:
    """What a unit's job asked for and used."""
    if row.usage is None:
        return {}
    return {**row.usage.to_json(), "busy_cpus": row.usage.busy_cpus}


def describe_details(rows: Sequence[Row], links: Links) -> dict[int, dict]:
    """What the page says of single units, by their position in the list."""
    details, logs = {}, 0
    for n, row in enumerate(rows):
        told = describe_detail(row, links.get(row.unit, {}), log=logs < LOGS)
        logs += "log" in told
        if told:
            details[n] = told
    return details


def describe_detail(
    row: Row, links: Mapping[str, Sequence[Link]], *, log: bool = True
) -> dict[str, Any]:
    """What the page says of an opened unit, without what is empty."""
    told: dict[str, Any] = {
        "reason": row.reason,
        "failure_class": row.failure_class,
        "exit_code": row.exit_code,
        "next": row.next,
        "history": [describe_attempt(attempt) for attempt in row.history],
        "reasons": row.reasons,
        "left_out": row.left_out[:ENTRIES],
        "notes": row.notes[:ENTRIES],
        "log": [clean(line) for line in row.log] if log else [],
        **{kind: [asdict(link) for link in found] for kind, found in links.items()},
    }
    return {name: value for name, value in told.items() if value not in ("", None, (), [])}


def clean(line: str) -> str:
    """A line of a log without what only a terminal understands."""
    return CONTROL.sub("", line)


def shortened(value: float | None) -> float | None:
    """A number with as many digits as a plot shows."""
    return round(value, 2) if isinstance(value, float) else value


def script_json(data: object) -> str:
    """JSON that cannot end the script element it stands in, whatever it holds."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def escape(text: str) -> str:
    """Text for HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
