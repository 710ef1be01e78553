"""Which jobs are cancelled."""

from bidsloom.scheduling.cancel import plan_cancel
from bidsloom.scheduling.in_progress import Work


def test_cancel_takes_no_neighbour_along():
    """A unit that shares its job is left alone, unless its neighbours are named or allowed."""
    shared = ("sub-1", "sub-2")
    work = [Work(unit, unit == "sub-1", "n", "", job="5", shared=shared) for unit in shared]
    work.append(Work("sub-3", True, "n", "", process=77))
    plan = plan_cancel(["sub-2", "sub-3", "sub-4"], work, with_neighbours=False)
    assert {"sub-2": ("sub-1",)} == plan.shared
    assert plan.absent == ("sub-4",)
    assert (plan.units, [w.process for w in plan.work]) == (("sub-3",), [77])
    together = plan_cancel(["sub-2"], work, with_neighbours=True)
    assert together.units == ("sub-2", "sub-1")
    assert {w.job for w in together.work} == {"5"}
    assert plan_cancel(["sub-1", "sub-2"], work, with_neighbours=False).shared == {}
