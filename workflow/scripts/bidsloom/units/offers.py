"""What other studies offer as inputs, unit by unit: `results/<study>/offers.json`.

Written when a study is opened, and read by all that it starts.  Which units
there are is part of the list of this study's own units; the results change
while both studies run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

from ..base.files import read_json, write_json
from ..config import Study
from ..config.study import FurtherInput
from .unit import GROUP, Unit, split_name

# Stands for what a unit gets from a result that is still to be made.
DUE = "due"


@dataclass(frozen=True)
class Offer:
    """What another study offers.

    `units` are its units, each with the commit of its result, which is empty
    where the result is still to be made; `waits` says of those that no run
    makes by itself why not.  `live` says that the other study runs together
    with this one: then its records say what its results are now.  `group` is
    the commit of its group level's result.
    """

    live: bool
    units: Mapping[str, str] = field(default_factory=dict)
    waits: Mapping[str, str] = field(default_factory=dict)
    group: str = ""

    @cached_property
    def by_subject(self) -> Mapping[str, list[tuple[str, str | None]]]:
        """Subject -> the units of it, with their sessions."""
        found: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
        for name in self.units:
            subject, session = split_name(name)
            found[subject].append((name, session))
        return found

    def behind(self, unit: Unit) -> list[str]:
        """The other study's units that a unit needs: its subject's, or those of its session."""
        return sorted(
            name
            for name, session in self.by_subject.get(unit.subject, ())
            if not (session and unit.session) or session == unit.session
        )

    def results_behind(self, further: FurtherInput, unit: Unit) -> dict[str, str]:
        """The results that a unit reads of a further input, with their commits, or empty texts."""
        if further.producer and further.producer.group:
            return {GROUP: self.group}
        return {name: self.units[name] for name in self.behind(unit)}


def read_offers(study: Study) -> dict[str, Offer]:
    """What other studies offered when the study was opened last, by where it is registered."""
    if not study.produced_inputs:
        return {}
    found = read_json(study.files.offers) or {}
    return {path: Offer(**offer) for path, offer in found.items()}


def write_offers(study: Study, offers: Mapping[str, Offer]) -> None:
    """Write what other studies offer; nothing where the study reads no other one."""
    if offers:
        write_json(study.files.offers, {path: asdict(offer) for path, offer in offers.items()})


def join_offers(
    units: Iterable[Unit], study: Study, offers: Mapping[str, Offer]
) -> tuple[list[Unit], list[tuple[str, str]]]:
    """The units for which each required study has a unit, and (unit, reason) of the others."""
    joined, left = [], []
    for unit in units:
        lacking = [
            further
            for further in study.produced_inputs
            if further.required and not offers[further.path].behind(unit)
        ]
        if not lacking:
            joined.append(unit)
            continue
        producer = lacking[0].producer
        assert producer is not None
        what = "does not process it" if offers[lacking[0].path].live else "has no result of it"
        left.append((unit.name, f"study {producer.name} {what}"))
    return joined, left
