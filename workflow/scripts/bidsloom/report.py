"""What became of every unit: tables and a page."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import asdict

from .config import Study
from .records import read_json, write_json, write_text, write_tsv
from .states import Row, collect_rows

COLUMNS = ["unit", "state", "failure_class", "exit_code", "attempts", "seconds", "commit"] + [
    "reason",
    "next",
]


def write_report(study: Study) -> list[Row]:
    """Write `report.tsv`, `report.json` and `report.html` of a study."""
    rows = collect_rows(study)
    counts = Counter(row.state for row in rows)
    facts = {
        "study": study.name,
        "input": study.input_url,
        "input_commit": (read_json(study.results / "prepared.json") or {}).get("input_commit"),
        "app": study.container.name,
        "image": str(study.container.image),
        "output": study.output_url,
        "main": (read_json(study.results / "merged.json") or {}).get("main"),
        "counts": dict(counts),
    }
    write_tsv(study.results / "report.tsv", COLUMNS, (asdict(row) for row in rows))
    write_json(study.results / "report.json", {**facts, "units": [asdict(row) for row in rows]})
    write_text(study.results / "report.html", render_page(facts, rows))
    return rows


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{study}: report</title>
<style>
:root {{ color-scheme: light dark; --line: #8886; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }}
dt {{ font-weight: 600; }} dd {{ margin: 0; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; font-size: 12px; }}
.failed, .unmerged {{ color: #c0392b; font-weight: 600; }} .merged {{ color: #2a8f4f; }}
@media (prefers-color-scheme: dark) {{ .failed, .unmerged {{ color: #ff8577; }} .merged {{ color: #6fd08c; }} }}
</style></head><body>
<h1>{study}</h1>
<p>{counts}</p>
<dl>{facts}</dl>
<h2>Units</h2>
<table><thead><tr><th>Unit<th>State<th>Attempts<th>Seconds<th>Commit<th>Why, and what to do</tr></thead>
<tbody>
{rows}
</tbody></table>
</body></html>
"""


def render_page(facts: dict, rows: list[Row]) -> str:
    """The report as one self-contained page."""
    names = {
        "input": "Input dataset",
        "input_commit": "Input commit",
        "app": "BIDS App",
        "image": "Container image",
        "output": "Output dataset",
        "main": "Merged as",
    }
    listed = "".join(
        f"<dt>{label}</dt><dd>{html.escape(str(facts[key] or 'not yet'))}</dd>"
        for key, label in names.items()
    )
    counts = ", ".join(f"{n} {state}" for state, n in sorted(facts["counts"].items()))
    return PAGE.format(
        study=html.escape(facts["study"]),
        counts=counts or "no units yet",
        facts=listed,
        rows="\n".join(map(render_row, rows)),
    )


def render_row(row: Row) -> str:
    """A table row of the page."""
    log = html.escape("\n".join(row.log))
    why = html.escape(" ".join(filter(None, [row.failure_class, row.reason, row.next])))
    if log:
        why += f"<details><summary>last lines of its log</summary><pre>{log}</pre></details>"
    seconds = "" if row.seconds is None else row.seconds
    return (
        f"<tr><td>{row.unit}<td class={row.state}>{row.state}<td>{row.attempts or ''}"
        f"<td>{seconds}<td><code>{row.commit[:10]}</code><td>{why}</tr>"
    )
