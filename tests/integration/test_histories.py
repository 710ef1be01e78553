"""Whatever happens to a study, no unit is lost or counted twice, and "merged" means merged."""

from collections import Counter

import hypothesis.strategies as st
from bidsloom.merge.accept import find_held
from bidsloom.records.unit_state import UnitState
from helpers.histories import DEATHS, INCOMPLETE, JOB, UNITS, World
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

units = st.sampled_from(UNITS)
ends = st.fixed_dictionaries(
    {u: st.sampled_from(["complete", "incomplete", "failed"]) for u in UNITS}
)
ALL_COMPLETE = dict.fromkeys(UNITS, "complete")


class Histories(RuleBasedStateMachine):
    """Commits, runs, deaths, losses and changes of mind, in any order."""

    def __init__(self):
        super().__init__()
        self.world = World()

    # --- what people do

    @rule(unit=units)
    def commit_to_the_input(self, unit):
        self.world.versions[unit] += 1
        self.world.forget(unit)

    @rule(unit=units)
    def revert_the_input(self, unit):
        self.world.versions[unit] = max(0, self.world.versions[unit] - 1)
        self.world.forget(unit)

    @rule(unit=units)
    def withdraw_or_bring_back(self, unit):
        # The last one stays: without any unit, no unit counts as withdrawn.
        if unit not in self.world.present or len(self.world.present) > 1:
            self.world.present ^= {unit}
            self.world.forget(unit)

    @rule(value=st.sampled_from(["hold", "accept", "retry"]))
    def configure(self, value):
        self.world.on_incomplete = value

    @rule(unit=units)
    def accept_in_the_config_or_not(self, unit):
        self.world.accept ^= {unit}

    @rule()
    def remove_withdrawn_or_keep(self):
        self.world.removing = not self.world.removing

    @rule(unit=units)
    def accept(self, unit):
        """`bidsloom accept`: the commit is marked, then merged."""
        held = self.world.choose()[1]
        if unit in held:
            assert [unit] == find_held([unit], held)
            self.world.accepted[unit] = held[unit].commit
            self.world.merge()
            assert unit not in self.world.choose()[1]

    # --- what happens

    @rule(ends=ends)
    def run(self, ends):
        self.check_run(self.world.run(ends))

    @rule(ends=ends, death=st.sampled_from(DEATHS), unit=units)
    def run_that_dies(self, ends, death, unit):
        self.check_run(self.world.run(ends, death=death, dies_at=unit))

    @rule(unit=units, kind=st.sampled_from([JOB, INCOMPLETE]))
    def lose_a_branch(self, unit, kind):
        self.world.branches[kind].pop(unit, None)
        self.world.forget(unit)

    @rule(unit=units, kind=st.sampled_from([JOB, INCOMPLETE]))
    def lose_content(self, unit, kind):
        if lost := self.world.branches[kind].get(unit):
            self.world.without_content.add(lost.commit)
            self.world.forget(unit)

    @rule()
    def lose_the_results_folder(self):
        self.world.lose_notes()

    # --- what holds

    def check_run(self, code):
        if code is None:
            return
        world, rows = self.world, self.world.rows()
        states = {row.unit: row.state for row in rows}
        live = {row.unit: row.state for row in world.live_rows()}
        assert dict.fromkeys(world.present, 1) == {
            u: n for u, n in Counter(row.unit for row in rows).items() if u in world.present
        }
        withdrawn = {row.unit for row in rows} - world.present
        assert withdrawn == world.ledger.keys() - world.present
        for unit in world.present:
            shown = states[unit], live[unit], code
            if states[unit] is UnitState.MERGED or live[unit] is UnitState.MERGED:
                assert world.is_merged(unit), shown
            if world.is_merged(unit):
                assert states[unit] is live[unit] is UnitState.MERGED, shown
            if states[unit] in (UnitState.HELD, UnitState.INCOMPLETE):
                assert world.is_held(unit), shown
            assert states[unit] is not UnitState.DONE, "a run leaves nothing for a merge"
            held = world.is_held(unit) and world.on_incomplete == "hold"
            if code == 0:
                assert world.is_merged(unit) or held, shown
                assert states[unit] is live[unit], shown

    @invariant()
    def only_what_is_accepted_is_merged_incomplete(self):
        for result in self.world.ledger.values():
            assert not result.reasons or result.commit in self.world.allowed

    @invariant()
    def what_was_pushed_is_there(self):
        """A complete result stays until a newer one is asked for, an incomplete one until it is complete."""
        for result in self.world.pushed:
            if result.unit not in self.world.present:
                continue
            if result.fingerprint == self.world.fingerprint(result.unit):
                there = [
                    r for r in self.world.stored(result.unit) if r.fingerprint == result.fingerprint
                ]
                assert there, result
                assert result.reasons or any(not r.reasons for r in there), result

    def teardown(self):
        """When nothing goes wrong any more, two runs put everything right, and the next does nothing."""
        world = self.world
        world.run(ALL_COMPLETE)
        self.check_run(code := world.run(ALL_COMPLETE))
        assert 0 == code
        assert world.mark and all(world.is_done(unit) for unit in world.present)
        computed = world.commits
        assert 0 == world.run(dict.fromkeys(UNITS, "failed"))
        assert computed == world.commits


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=100,
    stateful_step_count=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
