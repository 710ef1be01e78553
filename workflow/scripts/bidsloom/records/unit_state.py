"""The state of a unit: one enum, from which counts, tables, exit codes and the report follow."""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Self


class StateKind(Enum):
    """What a state means for the study."""

    FINISHED = auto()  # nothing is left to do
    TO_DO = auto()  # Snakemake does it
    AT_WORK = auto()  # a job does it now, or waits in the queue
    TROUBLED = auto()  # somebody has to look at it
    OUTSIDE = auto()  # not among the units that the study processes


class UnitState(StrEnum):
    """The state of a unit, in the order in which states are counted and listed.

    Each has its kind, and the tone, mark and meaning that the report shows.
    """

    kind: StateKind
    tone: str
    mark: str
    meaning: str

    def __new__(cls, name: str, kind: StateKind, tone: str, mark: str, meaning: str) -> Self:
        """A text that also has these properties."""
        state = str.__new__(cls, name)
        state._value_ = name
        state.kind, state.tone, state.mark, state.meaning = kind, tone, mark, meaning
        return state

    MERGED = "merged", StateKind.FINISHED, "good", "●", "in main"
    HELD = "held", StateKind.FINISHED, "idle", "◒", "not complete, held as you asked"
    DONE = "done", StateKind.TO_DO, "info", "◐", "done, to be merged"
    RUNNING = "running", StateKind.AT_WORK, "info", "▸", "running"
    QUEUED = "queued", StateKind.AT_WORK, "idle", "◌", "in the queue"
    WAITING = "waiting", StateKind.TO_DO, "idle", "○", "waiting"
    FAILED = "failed", StateKind.TROUBLED, "bad", "✕", "failed"
    INCOMPLETE = "incomplete", StateKind.TROUBLED, "warn", "◑", "not complete, not merged"
    UNMERGED = "unmerged", StateKind.TROUBLED, "warn", "▲", "left out of the merge"
    LOST = "lost", StateKind.TROUBLED, "bad", "■", "recorded, but not in the output store"
    EXCLUDED = "excluded", StateKind.OUTSIDE, "idle", "\N{EN DASH}", "excluded"
    WITHDRAWN = "withdrawn", StateKind.OUTSIDE, "warn", "◇", "no longer in the input"

    @property
    def is_troubled(self) -> bool:
        """True where somebody has to look at the unit."""
        return self.kind is StateKind.TROUBLED

    @property
    def is_at_work(self) -> bool:
        """True where a job processes the unit, or waits in the queue."""
        return self.kind is StateKind.AT_WORK

    @property
    def is_outside(self) -> bool:
        """True for a unit that the study does not process."""
        return self.kind is StateKind.OUTSIDE

    @property
    def order(self) -> int:
        """Its place among the states."""
        return list(UnitState).index(self)
