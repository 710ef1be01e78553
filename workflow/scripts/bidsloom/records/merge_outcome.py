"""What the last merge did: `results/<study>/merged.json` and `unmerged.tsv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

from ..base.files import read_json, read_tsv, write_json, write_tsv
from ..config import Study
from ..config.producer import Producer
from .json_fields import known_fields


@dataclass(frozen=True)
class MergeOutcome:
    """What a merge did.

    `main` is the commit of main after it, `merged` all units that main holds,
    `merged_now` and `removed_now` those that this merge added and took out,
    `unmerged` unit -> reason of those that it left on their job branches,
    `held` unit -> reasons of results that are not complete and wait on their
    branches.  `expects` is a digest of what makes a result complete.
    """

    main: str | None = None
    merged_now: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    removed_now: tuple[str, ...] = ()
    unmerged: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expects: str = ""

    @cached_property
    def merged_units(self) -> frozenset[str]:
        """All units that main holds, to look one up."""
        return frozenset(self.merged)


def read_merge_outcome(study: Study | Producer) -> MergeOutcome:
    """What the last merge did; an empty outcome where there was none."""
    value = read_json(study.files.merged)
    known = known_fields(MergeOutcome, value) if isinstance(value, Mapping) else {}
    for name in ("merged_now", "merged", "removed_now"):
        known[name] = tuple(known.get(name, ()))
    known["held"] = {unit: tuple(reasons) for unit, reasons in known.get("held", {}).items()}
    return MergeOutcome(**known)


def write_merge_outcome(study: Study, outcome: MergeOutcome) -> None:
    """Write what a merge did, for programs and as a table of what it left out."""
    rows = [{"unit": unit, "reason": reason} for unit, reason in sorted(outcome.unmerged.items())]
    write_tsv(study.files.unmerged, ["unit", "reason"], rows)
    write_json(study.files.merged, asdict(outcome))


def read_unmerged(study: Study) -> dict[str, str]:
    """Unit -> why the last merge left it out."""
    return {row["unit"]: row["reason"] for row in read_tsv(study.files.unmerged)}
