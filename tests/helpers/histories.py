"""A study in memory, whose decisions are the workflow's own.

Reading and writing is played: stores are dictionaries, a job is a roll of the
dice.  What is decided of it (which records hold, what is restored, merged,
held, lost, removed, shown) is decided by the functions that decide it in earnest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from bidsloom.base.errors import FailureClass, WorkflowFailure
from bidsloom.config import Study, read_study
from bidsloom.datasets.branches import Branch, BranchKind, Entry, Result
from bidsloom.datasets.unit_results import UnitResult
from bidsloom.merge.decisions import (
    Found,
    find_lost,
    ledger_after,
    list_done,
    list_fresh,
    list_void,
)
from bidsloom.merge.hold import Held, choose, list_candidates
from bidsloom.merge.weave import decide
from bidsloom.records.attempts import Attempt
from bidsloom.records.job_record import JobRecord
from bidsloom.records.merge_outcome import MergeOutcome
from bidsloom.records.reconcile import Move, decide_move, is_settled, newest_results
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.live_status import StoreContents, settle_row
from bidsloom.reporting.unit_states import Notes, Row, describe_units, refuse_unsettled
from bidsloom.units.completeness import expects_digest, is_accepted
from bidsloom.units.listing import find_withdrawn

UNITS = ("sub-1", "sub-2", "sub-3")
JOB, INCOMPLETE = BranchKind.JOB, BranchKind.INCOMPLETE
# Where a run may die.
DEATHS = ("push", "record", "publish", "remove", "outcome")


class Died(Exception):
    """The run was killed."""


@cache
def study_with(on_incomplete: str, accepted: frozenset[str], *, removing: bool) -> Study:
    """A study that treats results that are not complete in a way."""
    config = {
        "study": "probe",
        "common": {"work_dir": "."},
        "datalad": {"input_repo": "in", "output_repos": ["out.git"]},
        "subjects": {
            "accept": sorted(unit.removeprefix("sub-") for unit in accepted),
            "withdrawn": "remove" if removing else "keep",
        },
        "container": {
            "name": "probe",
            "image": "image.sif",
            "outputs": ["out"],
            "on_incomplete": on_incomplete,
        },
    }
    return read_study(config, base=Path("/nowhere"))


@dataclass
class World:
    """A study with its input, its store and its notes."""

    present: set[str] = field(default_factory=lambda: set(UNITS))
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(UNITS, 0))
    on_incomplete: str = "hold"
    accept: frozenset[str] = frozenset()
    removing: bool = False
    # The store.
    branches: dict[BranchKind, dict[str, Result]] = field(
        default_factory=lambda: {JOB: {}, INCOMPLETE: {}}
    )
    accepted: dict[str, str] = field(default_factory=dict)
    ledger: dict[str, Result] = field(default_factory=dict)
    without_content: set[str] = field(default_factory=set)
    # results/<study>/
    records: dict[str, JobRecord] = field(default_factory=dict)
    superseded: dict[str, JobRecord] = field(default_factory=dict)
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    outcome: MergeOutcome = field(default_factory=MergeOutcome)
    mark: bool = False
    # What the test knows.
    commits: int = 0
    allowed: set[str] = field(default_factory=set)
    pushed: list[Result] = field(default_factory=list)
    clashing: set[str] = field(default_factory=set)

    @property
    def study(self) -> Study:
        return study_with(self.on_incomplete, self.accept, removing=self.removing)

    def fingerprint(self, unit: str) -> str:
        return f"input={self.versions[unit]}"

    def is_there(self, result: Result) -> bool:
        """True for a result whose content arrived."""
        return result.commit not in self.without_content

    # --- a run

    def run(self, ends: Mapping[str, str], *, death: str = "", dies_at: str = "") -> int | None:
        """A run of Snakemake; returns its exit code, None where it died.

        `ends` says how the job of each unit ends: complete, incomplete or failed.
        """
        try:
            restored = self.open()
            due = [unit for unit in sorted(self.present) if not self.is_done(unit)]
            failed = [
                unit
                for unit in due
                if not self.process(unit, ends[unit], death if dies_at == unit else "")
            ]
            if failed:
                self.merge(death)
                return 1
            if self.mark and not due and not restored:
                return 0
            left = self.merge(death)
            if left:
                return 1
            refuse_unsettled(self.rows())
            self.mark = True
            return 0
        except WorkflowFailure:
            return 1
        except Died:
            return None

    def is_done(self, unit: str) -> bool:
        record = self.records.get(unit)
        return record is not None and record.fingerprint == self.fingerprint(unit)

    def open(self) -> bool:
        """What a start does; returns whether records were written."""
        study, merged = self.study, self.outcome
        for unit in sorted(self.present):
            move = decide_move(
                study,
                self.records.get(unit),
                self.superseded.get(unit),
                fingerprint=self.fingerprint(unit),
                outcome=merged,
                unit=unit,
                waiting={u: r.commit for u, r in self.branches[INCOMPLETE].items()},
            )
            if move is Move.SET_ASIDE:
                self.superseded[unit] = self.records.pop(unit)
            elif move is Move.REMOVE:
                del self.records[unit]
            elif move is Move.BRING_BACK:
                self.records[unit] = self.superseded.pop(unit)
        if not is_settled(study, self.outcome, sorted(self.present)):
            self.mark = False
        waiting = [] if study.container.on_incomplete == "retry" else self.there(INCOMPLETE)
        known = newest_results(
            incomplete=waiting, merged=self.ledger.values(), announced=self.there(JOB)
        )
        missing = [unit for unit in sorted(self.present) if unit not in self.records]
        found = {unit: known.get((unit, self.fingerprint(unit))) for unit in missing}
        self.records |= {unit: record_of(r, restored=True) for unit, r in found.items() if r}
        return any(found.values())

    def there(self, kind: BranchKind) -> list[Result]:
        return [result for result in self.branches[kind].values() if self.is_there(result)]

    def process(self, unit: str, end: str, death: str) -> bool:
        """The job of a unit; returns whether it ended well."""
        result = self.find(unit)
        if result is None:
            if end == "failed":
                self.note(unit, FailureClass.APP_ERROR)
                return False
            result = self.compute(unit, complete=end == "complete")
            if death == "push":
                raise Died
            self.branches[INCOMPLETE if result.reasons else JOB][unit] = result
            self.pushed.append(result)
            if death == "record":
                raise Died
        retry = self.on_incomplete == "retry" and not is_accepted(self.study.selection, unit)
        if result.reasons and retry:
            self.note(unit, FailureClass.INCOMPLETE)
            return False
        self.records[unit] = record_of(result)
        return True

    def find(self, unit: str) -> Result | None:
        """What a job finds in the store of its unit, as `job.find_result` does."""
        wanted, job = self.fingerprint(unit), self.branches[JOB].get(unit)
        if job and job.fingerprint == wanted and self.is_there(job):
            return job
        merged = self.ledger.get(unit)
        if job is None and merged and merged.fingerprint == wanted:
            return merged
        waiting = self.branches[INCOMPLETE].get(unit)
        if self.on_incomplete == "retry" or waiting is None or waiting.fingerprint != wanted:
            return None
        return waiting if self.is_there(waiting) else None

    def compute(self, unit: str, *, complete: bool) -> Result:
        self.commits += 1
        return Result(
            unit,
            f"c{self.commits}",
            self.fingerprint(unit),
            expects=expects_digest(self.study.container),
            reasons=() if complete else ("a file is missing",),
        )

    def note(self, unit: str, why: FailureClass) -> None:
        self.attempts.setdefault(unit, []).append(Attempt(unit=unit, failure_class=why))

    # --- the merge

    def merge(self, death: str = "") -> Mapping[str, str]:
        """As `merge.merge_all`; returns what it left out."""
        recorded, found, wanted = list(self.records.values()), self.look(), self.wanted()
        whole, held = self.choose()
        assert not whole.keys() & held.keys()
        lost = find_lost(recorded, found, {*whole, *held}, asked=self.present)
        removed = [unit for unit in found.gone if unit in self.ledger]
        weave = decide(
            [self.branch(each.result) for each in whole.values()],
            held={unit: self.branch(result) for unit, result in self.ledger.items()},
            shared=[],
            removed=removed,
        )
        weave.left |= lost
        for unit in removed:
            self.records.pop(unit, None)
            self.superseded.pop(unit, None)
        self.ledger = ledger_after(found, [b.result for b in weave.merged], removed)
        if death == "publish":
            raise Died
        for kind in (JOB, INCOMPLETE):
            for unit in list_done(found, self.ledger, kind=kind, path="", wanted=wanted):
                del self.branches[kind][unit]
        if death == "remove":
            raise Died
        for unit in list_void(found, self.ledger):
            del self.accepted[unit]
        for unit in lost:
            self.records.pop(unit, None)
            self.note(unit, FailureClass.STORE_UNAVAILABLE)
        if death == "outcome":
            raise Died
        self.outcome = MergeOutcome(
            main="main",
            merged=tuple(sorted(self.ledger)),
            unmerged=weave.left,
            held={unit: each.reasons for unit, each in held.items()},
            expects=expects_digest(self.study.container),
        )
        return weave.left

    def choose(self) -> tuple[dict[str, UnitResult], dict[str, Held]]:
        """What the merge would take, and what waits."""
        found = self.look()
        there = [each for each in found.announced if not each.missing]
        candidates = list_candidates(self.study, there, accepted=found.accepted)
        self.allowed |= {c.found.result.commit for c in candidates if c.accepted}
        return choose(candidates, wanted=self.wanted(), ledger=self.ledger)

    def wanted(self) -> dict[str, str]:
        """Unit -> the fingerprint of its recorded result."""
        return {record.unit: record.fingerprint for record in self.records.values()}

    def look(self) -> Found:
        """The store as a merge finds it."""
        everything = {
            kind: {"": sorted(of.values(), key=lambda r: r.unit)}
            for kind, of in self.branches.items()
        }
        units = {*self.ledger, *(r.unit for of in everything.values() for r in of[""])}
        gone = find_withdrawn(units, self.present) if self.removing else []
        fresh = list_fresh({kind: of[""] for kind, of in everything.items()}, self.ledger, gone)
        announced = [
            UnitResult(r, {"": r.commit}, missing="" if self.is_there(r) else "content is missing")
            for r in fresh
        ]
        place = SimpleNamespace(ledger=dict(self.ledger), path="")
        return Found([place], everything, announced, dict(self.accepted), gone)

    def branch(self, result: Result) -> Branch:
        """The files of a result; those of clashing units hold one file in common."""
        files = {f"out/{result.unit}/a": Entry("100644", result.commit)}
        if result.commit in self.clashing:
            files["out/atlas"] = Entry("100644", result.commit)
        return Branch(result, files, frozenset())

    # --- what is lost, and what the test looks at

    def forget(self, unit: str) -> None:
        """Expect the results so far of a unit no more: another is asked for, or one was lost."""
        self.pushed = [r for r in self.pushed if r.unit != unit]

    def lose_notes(self) -> None:
        """Remove `results/`."""
        self.records, self.superseded, self.attempts = {}, {}, {}
        self.outcome, self.mark = MergeOutcome(), False

    def stored(self, unit: str) -> list[Result]:
        """All results of a unit that the store holds."""
        found = [self.ledger.get(unit), *(of.get(unit) for of in self.branches.values())]
        return [result for result in found if result and self.is_there(result)]

    # --- what is shown

    def rows(self) -> list[Row]:
        """The report."""
        notes = [
            Notes(unit, self.records.get(unit), self.attempts.get(unit, []))
            for unit in sorted(self.present)
        ]
        return describe_units(
            self.study,
            notes,
            outcome=self.outcome,
            left=self.outcome.unmerged,
            excluded={},
            known=self.present,
        )

    def live_rows(self) -> list[Row]:
        """The report, compared with the store; no job runs."""
        held = StoreContents(
            {unit: result.commit for unit, result in self.branches[JOB].items()},
            "main",
            Path("store"),
            {unit: result.commit for unit, result in self.branches[INCOMPLETE].items()},
        )
        return [
            settle_row(row, held=held, merged=set(self.ledger), result=None, work={})
            for row in self.rows()
        ]

    def is_merged(self, unit: str) -> bool:
        """True where main holds what is asked for now, complete or accepted."""
        result = self.ledger.get(unit)
        if result is None or result.fingerprint != self.fingerprint(unit):
            return False
        return not result.reasons or result.commit in self.allowed

    def is_held(self, unit: str) -> bool:
        """True where an incomplete result of what is asked for now waits on its branch."""
        result = self.branches[INCOMPLETE].get(unit)
        return result is not None and result.fingerprint == self.fingerprint(unit)


def record_of(result: Result, *, restored: bool = False) -> JobRecord:
    """The record that a job, or a start, writes of a result."""
    return JobRecord(
        unit=result.unit,
        commit=result.commit,
        fingerprint=result.fingerprint,
        incomplete=result.reasons,
        restored=restored,
    )


__all__ = ["DEATHS", "INCOMPLETE", "JOB", "UNITS", "UnitState", "World"]
