"""A study that was opened: its units, and what their results must be made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..config import Study
from ..units.offers import DUE, Offer
from ..units.unit import Unit, Units
from .fingerprints import Fingerprints


@dataclass(frozen=True)
class OpenStudy:
    """A study that was opened: its units, and the image they run with.

    `done` names the units whose recorded result still holds, `why` says for
    each other one why it is due, `withdrawn` names those that main still holds
    but the input does not.

    `offers` are the results of other studies that units read, by where these
    are registered; `waits` says why units wait for one that no run makes.
    """

    study: Study
    units: Units
    image_id: str
    # Path of each further input -> its commit.
    further: Mapping[str, str] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    why: Mapping[str, str] = field(default_factory=dict)
    withdrawn: tuple[str, ...] = ()
    offers: Mapping[str, Offer] = field(default_factory=dict)
    waits: Mapping[str, str] = field(default_factory=dict)

    def fingerprint(self, name: str) -> str:
        """The fingerprint that a unit's result must have now.

        Nothing has it where the unit reads a result that is still to be made.
        """
        known = self._fingerprints
        if name not in known:
            known[name] = self._causes.of(self._by_name[name])
        return known[name]

    def own_fingerprint(self, name: str) -> str:
        """The unit's fingerprint without the results of other studies, which change in a run."""
        unit, others = self._by_name[name], self.offers
        own = tuple(pair for pair in unit.further if pair[0] not in others)
        return self._causes.of(replace(unit, further=own))

    def is_open(self, name: str) -> bool:
        """True where a unit reads a result that is still to be made."""
        return any(mark == DUE for _, mark in self._by_name[name].further)

    def awaited(self, name: str) -> Iterator[tuple[str, str]]:
        """The results, as study and unit, that this run makes before a unit."""
        unit = self._by_name[name]
        for further in self.study.produced_inputs:
            offer = self.offers[further.path]
            if further.producer and offer.live and offer.behind(unit):
                for needed, commit in offer.results_behind(further, unit).items():
                    if not commit:
                        yield further.producer.name, needed

    @property
    def names(self) -> list[str]:
        """Names of the units, sorted."""
        return list(self._by_name)

    @cached_property
    def _causes(self) -> Fingerprints:
        return Fingerprints(self.study, self.image_id)

    @cached_property
    def _fingerprints(self) -> dict[str, str]:
        return {}

    @cached_property
    def _by_name(self) -> dict[str, Unit]:
        return {unit.name: unit for unit in self.units.units}
