"""What is told of units that were computed again (`prove`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.text import a_few

FILE = "proof.json"


def refuse_difference(proof: dict, path: Path) -> None:
    """Raise `WorkflowFailure` where a unit did not come out the same.

    That is a finding about the app or its inputs, not a fault of the study;
    but who runs this from a script shall notice.
    """
    if not proof["identical"]:
        raise WorkflowFailure(
            "Not all results came out the same again:\n" + "\n".join(tell(proof["units"])),
            hint=f"see {path}; many apps write times or paths into their reports, or take random "
            "numbers without a fixed seed.",
        )


def tell(units: Iterable[dict], *, named: int = 5) -> list[str]:
    """A line for each unit, with the first paths that differ."""
    lines = []
    for unit in units:
        head = f"  {unit['unit']}: {unit['state']}"
        if unit["state"] == "failed":
            lines.append(f"{head}: {unit['message']}")
            continue
        paths = sorted([*unit["changed"], *unit["missing"], *unit["added"]])
        files = f" ({a_few(paths, named)})" if paths else ""
        lines.append(f"{head}, {len(paths)} of {unit['files']} files{files}" if paths else head)
    return lines


def describe_proof(proof: dict | None) -> dict | None:
    """What a report tells of the last proof; None where there was none."""
    if proof is None:
        return None
    facts = {name: proof[name] for name in ("start", "seed", "identical")}
    return {**facts, "lines": [line.strip() for line in tell(proof["units"])]}
