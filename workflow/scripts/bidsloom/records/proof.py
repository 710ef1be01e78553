"""What came out when merged units were computed again: `results/<study>/proof.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from ..base.files import read_json, write_json
from ..config import Study
from .json_fields import known_fields, told_fields


class ProofState(StrEnum):
    """What came out of one unit."""

    IDENTICAL = "identical"
    DIFFERS = "differs"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class UnitProof:
    """One unit that was computed again from its `commit`.

    `files` is the number of files that the commit had written; `changed`,
    `missing` and `added` are paths of the output dataset at which the rerun
    differs.  `message` says why there was no rerun, where it failed.
    """

    unit: str
    commit: str = ""
    state: ProofState = ProofState.FAILED
    files: int = 0
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    message: str = ""
    seconds: float | None = None

    @property
    def paths(self) -> list[str]:
        """All paths that differ."""
        return sorted([*self.changed, *self.missing, *self.added])

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """A unit's proof that a file holds."""
        known = {"unit": "", **known_fields(cls, value)}
        for name in ("changed", "missing", "added"):
            known[name] = tuple(known.get(name, ()))
        known["state"] = ProofState(known.get("state", ProofState.FAILED))
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """What is known, for a file: paths where there was a rerun, else the message."""
        if self.state is ProofState.FAILED:
            return {**told_fields(self), "state": self.state.value}
        told = asdict(self)
        del told["message"]
        return told


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A proof: units of `main` drawn with a `seed`, and what came out of each."""

    start: str = ""
    seed: int | None = None
    main: str | None = None
    units: tuple[UnitProof, ...] = ()

    @property
    def identical(self) -> bool:
        """True where every unit came out the same."""
        return all(unit.state is ProofState.IDENTICAL for unit in self.units)


def read_proof(study: Study) -> Proof | None:
    """What came out of the last proof; None where there was none."""
    value = read_json(study.files.proof)
    if not isinstance(value, Mapping):
        return None
    known = known_fields(Proof, value)
    known["units"] = tuple(UnitProof.from_json(unit) for unit in known.get("units", ()))
    return Proof(**known)


def write_proof(study: Study, proof: Proof) -> None:
    """Write what came out of a proof."""
    told = {
        "start": proof.start,
        "seed": proof.seed,
        "main": proof.main,
        "identical": proof.identical,
        "units": [unit.to_json() for unit in proof.units],
    }
    write_json(study.files.proof, told)
