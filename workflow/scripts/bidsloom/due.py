"""Why units are due, and which results have lost their input."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import CommandError
from .fingerprints import MADE_FROM, changed_causes, describe_changes, made_from
from .records import read_json
from .runners import call_git, call_git_lines
from .study import OpenStudy, find_withdrawn

# So many reasons, and units, are told one by one at a start.
REASONS = 5
NAMES = 10


def explain_due(opened: OpenStudy) -> dict[str, str]:
    """Unit -> why it is due, for every unit without a result that holds."""
    study, due = opened.study, [name for name in opened.names if name not in opened.done]
    old = {name: read_json(study.results / "superseded" / f"{name}.json") for name in due}
    made = read_made_from(study.dataset, [r["commit"] for r in old.values() if r])
    now = made_from(study, opened.image_id)
    why = {}
    for name in due:
        record, attempts = old[name], read_json(study.results / "attempts" / f"{name}.json")
        failed = attempts[-1] if attempts else None
        if failed and not (record and record.get("end", "") > failed.get("end", "")):
            why[name] = f"failed before ({failed['failure_class']})"
        elif record:
            causes = changed_causes(record["fingerprint"], opened.fingerprint(name))
            why[name] = describe_changes(causes, made.get(record["commit"]), now)
        else:
            why[name] = "new"
    return why


def read_made_from(dataset: Path, commits: Iterable[str]) -> dict[str, Any]:
    """Commit of a result -> what it was made from, as far as the study dataset knows."""
    commits = set(commits)
    if not commits:
        return {}
    lines = call_git_lines(
        ["log", "--no-walk=unsorted", "--ignore-missing", "--stdin", "--format=%H %P"],
        cwd=dataset,
        stdin="".join(f"{commit}\n" for commit in commits),
    )
    bases = {commit: base for commit, base, *_ in (line.split() for line in lines)}
    found = {}
    for base in set(bases.values()):
        try:
            text = call_git(["cat-file", "blob", f"{base}:{MADE_FROM}"], cwd=dataset)
        except CommandError:
            continue
        found[base] = json.loads(text)
    return {commit: found[base] for commit, base in bases.items() if base in found}


def list_withdrawn(opened: OpenStudy) -> tuple[str, ...]:
    """Units that main held at the last merge, and that the input does not have any more."""
    merged = (read_json(opened.study.results / "merged.json") or {}).get("merged", [])
    known = {*opened.names, *(name for name, _ in opened.units.excluded)}
    return tuple(find_withdrawn(merged, known))


def summarize_due(opened: OpenStudy) -> list[str]:
    """How many units are due, and why, in a few lines."""
    why, done = opened.why, len(opened.done)
    lines = [f"nothing to process: {done} unit(s) are done"]
    if why:
        counts = Counter(why.values()).most_common()
        lines = [f"{len(why)} unit(s) to process, {done} done:"]
        lines += [f"  {count} {reason}" for reason, count in counts[:REASONS]]
        if len(counts) > REASONS:
            rest = sum(count for _, count in counts[REASONS:])
            lines.append(f"  {rest} for {len(counts) - REASONS} other reasons")
    if opened.withdrawn:
        what = "removed from" if opened.study.remove_withdrawn else "kept in"
        lines.append(f"withdrawn from the input, {what} main: {names_of(opened.withdrawn)}")
    return lines


def names_of(units: Sequence[str]) -> str:
    """A few units by name, the others by number."""
    more = f" and {len(units) - NAMES} more" if len(units) > NAMES else ""
    return ", ".join(units[:NAMES]) + more


class Reasons:
    """For a rule's message: `{WHY:sub-01}` is why that unit is due, after a colon.

    A param or a resource that tells it would make finished units due again.
    """

    def __init__(self, why: Mapping[str, str]) -> None:
        self.why = why

    def __format__(self, unit: str) -> str:
        reason = self.why.get(unit)
        return f": {reason}" if reason else ""
