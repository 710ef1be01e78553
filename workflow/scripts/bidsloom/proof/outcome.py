"""What came out when units were computed again, in words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..base.errors import WorkflowFailure
from ..base.text import a_few
from ..records.proof import Proof, ProofState, UnitProof


def refuse_difference(proof: Proof, path: Path) -> None:
    """Raise `WorkflowFailure` where a unit did not come out the same.

    That is a finding about the app or its inputs, not a fault of the study; but
    a script that runs this must notice.
    """
    if not proof.identical:
        raise WorkflowFailure(
            "Not all results came out the same again:\n" + "\n".join(unit_lines(proof.units)),
            hint=f"see {path}; many apps write times or paths into their reports, or take random "
            "numbers without a fixed seed.",
        )


def unit_lines(units: Iterable[UnitProof], *, named: int = 5) -> list[str]:
    """A line for each unit, with the first paths that differ."""
    lines = []
    for unit in units:
        head = f"  {unit.unit}: {unit.state}"
        if unit.state is ProofState.FAILED:
            lines.append(f"{head}: {unit.message}")
            continue
        paths = unit.paths
        files = f" ({a_few(paths, named)})" if paths else ""
        lines.append(f"{head}, {len(paths)} of {unit.files} files{files}" if paths else head)
    return lines


def describe_proof(proof: Proof | None) -> dict[str, Any] | None:
    """What a report says of the last proof; None where there was none."""
    if proof is None:
        return None
    return {
        "start": proof.start,
        "seed": proof.seed,
        "identical": proof.identical,
        "lines": [line.strip() for line in unit_lines(proof.units)],
    }
