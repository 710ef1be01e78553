"""A study that was opened: its units, and what their results must be made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..config import Study
from ..units.unit import Unit, Units
from .fingerprints import unit_fingerprint


@dataclass(frozen=True)
class OpenStudy:
    """A study that was opened: its units, and the image they run with.

    `done` names the units whose recorded result still holds, `why` says for
    each other one why it is due, `withdrawn` names those that main still holds
    but the input does not.
    """

    study: Study
    units: Units
    image_id: str
    # Path of each further input -> its commit.
    further: Mapping[str, str] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    why: Mapping[str, str] = field(default_factory=dict)
    withdrawn: tuple[str, ...] = ()

    def fingerprint(self, name: str) -> str:
        """The fingerprint that a unit's result must have now."""
        return unit_fingerprint(self.study, self._by_name[name], self.image_id)

    @property
    def names(self) -> list[str]:
        """Names of the units, sorted."""
        return list(self._by_name)

    @cached_property
    def _by_name(self) -> dict[str, Unit]:
        return {unit.name: unit for unit in self.units.units}
