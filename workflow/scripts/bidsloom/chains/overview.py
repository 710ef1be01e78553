"""A chain at a glance: a line each study, with its counts, in the terminal and as a page."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.files import write_json, write_text
from ..base.text import text_table
from ..records.unit_state import UnitState
from ..reporting.unit_states import collect_rows, count_states
from .chain_file import Chain, Step

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}"
    "table{border-collapse:collapse}th,td{text-align:left;padding:.35rem .9rem;"
    "border-bottom:1px solid #8884;vertical-align:top}pre{white-space:pre-wrap}"
    ":root{color-scheme:light dark}"
)


@dataclass(frozen=True)
class Line:
    """A study of a chain: `counts` is state -> number of units, empty before it was started."""

    study: str
    step: str
    dataset: str
    counts: Mapping[UnitState, int] = field(default_factory=dict)
    report: str = ""
    problems: Sequence[str] = ()

    @property
    def words(self) -> str:
        """How far it is, in words."""
        if self.problems:
            return "not started: its config has faults"
        told = ", ".join(f"{count:,} {state}" for state, count in self.counts.items())
        return told or "not started"


def list_lines(
    chain: Chain, refused: Mapping[str, Sequence[WorkflowFailure]] | None = None
) -> list[Line]:
    """A line for each study, and one for each dataset that was refused."""
    refused = chain.refused if refused is None else refused
    lines = [line_of(step) for step in chain.steps if step.dataset not in refused]
    lines += [
        Line("", "", dataset, problems=[str(problem) for problem in problems])
        for dataset, problems in refused.items()
    ]
    return lines


def line_of(step: Step) -> Line:
    """The line of a study."""
    study = step.study
    page = study.files.report_page
    return Line(
        study.name,
        step.file.stem,
        step.dataset,
        count_states(collect_rows(study)) if study.results.exists() else {},
        os.path.relpath(page, study.results.parent) if page.exists() else "",
    )


def describe_chain(lines: Sequence[Line]) -> str:
    """The lines as a table for the terminal."""
    cells = [[line.dataset or line.study, line.study, line.words] for line in lines]
    if not any(line.dataset for line in lines):
        return text_table(["study", "units"], [cell[1:] for cell in cells])
    return text_table(["dataset", "study", "units"], cells)


def write_overview(
    chain: Chain, refused: Mapping[str, Sequence[WorkflowFailure]] | None = None
) -> Path:
    """Write `results/<chain>.html` and `.json`; returns the page."""
    lines = list_lines(chain, refused)
    folder = chain.steps[0].study.results.parent
    made = datetime.now(UTC).isoformat(timespec="seconds")
    told = [asdict(line) for line in lines]
    write_json(folder / f"{chain.name}.json", {"chain": chain.name, "made": made, "studies": told})
    page = folder / f"{chain.name}.html"
    write_text(page, render(chain, lines, made))
    return page


def render(chain: Chain, lines: Sequence[Line], made: str) -> str:
    """The page: datasets down and steps across, or a row each study; it loads nothing."""
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(chain.name)}"
    parts = [f"{head}</title><style>{STYLE}</style><h1>{html.escape(chain.name)}</h1>"]
    if any(line.dataset for line in lines):
        steps = list(dict.fromkeys(line.step for line in lines if line.step))
        parts.append(table(["dataset", *steps], dataset_rows(lines, steps)))
    else:
        rows = [[link(line, line.study), html.escape(line.words)] for line in lines]
        parts.append(table(["study", "units"], rows))
    for line in lines:
        for problem in line.problems:
            parts.append(f"<h2>{html.escape(line.dataset)}</h2><pre>{html.escape(problem)}</pre>")
    return "".join([*parts, f"<p>{html.escape(made)}</p></html>\n"])


def dataset_rows(lines: Sequence[Line], steps: Sequence[str]) -> list[list[str]]:
    """For each dataset a cell each step."""
    cells: dict[str, dict[str, str]] = {}
    for line in lines:
        row = cells.setdefault(line.dataset, {})
        for step in [line.step] if line.step else steps:
            row[step] = link(line, line.words)
    return [[html.escape(d), *(row.get(step, "") for step in steps)] for d, row in cells.items()]


def link(line: Line, text: str) -> str:
    """A text that opens the study's report, where there is one."""
    text = html.escape(text)
    return f'<a href="{html.escape(line.report)}">{text}</a>' if line.report else text


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the cells are HTML already."""
    head = "".join(f"<th>{html.escape(column)}" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}" for cell in row) for row in rows)
    return f"<table><tr>{head}{body}</table>"
