"""Why units are due, and which results have no input any more."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..base.errors import CommandError, FailureClass
from ..base.runners import call_git, call_git_lines
from ..config.layout import MADE_FROM
from ..units.listing import find_withdrawn
from .attempts import read_attempts
from .fingerprints import changed_causes, describe_changes, made_from
from .job_record import read_superseded
from .merge_outcome import read_merge_outcome
from .open_study import OpenStudy


def explain_due(opened: OpenStudy) -> dict[str, str]:
    """Unit -> why it is due, for every unit that has no valid result."""
    study, settled = opened.study, {*opened.done, *opened.waits}
    due = [name for name in opened.names if name not in settled]
    old = {name: read_superseded(study, name) for name in due}
    made = read_made_from(study.dataset, [record.commit for record in old.values() if record])
    now = made_from(study, opened.image_id)
    why: dict[str, str] = {}
    for name in due:
        record, attempts = old[name], read_attempts(study, name)
        failed = attempts[-1] if attempts else None
        if failed and failed.failure_class is FailureClass.WAITS:
            failed = None
        if failed and not (record and record.end > failed.end):
            why[name] = f"failed before ({failed.failure_class or 'for an unknown reason'})"
        elif record and opened.is_open(name):
            sources = ", ".join(dict.fromkeys(study for study, _ in opened.awaited(name)))
            why[name] = f"the result of {sources} that it reads is renewed"
        elif record:
            causes = changed_causes(record.fingerprint, opened.fingerprint(name))
            why[name] = describe_changes(causes, made.get(record.commit), now)
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
    """Units that main held after the last merge, but that the input does not have any more."""
    merged = read_merge_outcome(opened.study).merged
    known = {*opened.names, *(name for name, _ in opened.units.excluded)}
    return tuple(find_withdrawn(merged, known))
