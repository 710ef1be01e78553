"""By which names a subject is known: units, paths, words in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..base.errors import WorkflowFailure
from ..units.unit import LABEL, subject_of, unit_name

_FIRST = re.compile(rf"(?:^|/)(sub-{LABEL})(?=[/_.]|$)")


@dataclass(frozen=True)
class Person:
    """A subject that is erased; `subject` is its name, `sub-01`."""

    subject: str

    def owns(self, unit: str) -> bool:
        """Whether a unit is this subject, or one of its sessions."""
        return subject_of(unit) == self.subject

    def owns_path(self, path: str) -> bool:
        """Whether this subject is the first one that a path names."""
        found = _FIRST.search(path)
        return found is not None and found[1] == self.subject

    @property
    def word(self) -> re.Pattern[str]:
        """The name in a text, and no longer name that starts alike."""
        return re.compile(rf"{re.escape(self.subject)}(?![A-Za-z0-9+])")

    @property
    def posix_word(self) -> str:
        """The same for git, as an extended regular expression."""
        return f"{self.subject.replace('+', '[+]')}([^A-Za-z0-9+]|$)"

    def list_own(self, units: Iterable[str]) -> list[str]:
        """Those of some units that are this subject's, sorted."""
        return sorted(unit for unit in set(units) if self.owns(unit))


def read_person(label: str) -> Person:
    """The subject that a label names; raises `WorkflowFailure` for anything else."""
    name = unit_name(label)
    if not re.fullmatch(f"sub-{LABEL}", name):
        raise WorkflowFailure(
            f"{label} is not the label of a subject; a person is erased with all sessions.",
            hint="for example: erase sub-07",
        )
    return Person(name)
