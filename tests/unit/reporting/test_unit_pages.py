"""Whose own pages the report copies, and which."""

from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.unit_pages import Link, choose_units, top_pages
from bidsloom.reporting.unit_states import Row


def test_incomplete_results_first_then_the_newest():
    rows = [
        Row("sub-1", UnitState.MERGED, commit="1"),
        Row("sub-2", UnitState.HELD, commit="2"),
        Row("sub-3", UnitState.DONE, commit="3"),
        Row("sub-4", UnitState.FAILED),
        Row("sub-5", UnitState.INCOMPLETE, commit="5"),
        Row("sub-6", UnitState.INCOMPLETE),
    ]
    ages = {"sub-1": -2.0, "sub-3": -1.0}
    everything = ["sub-5", "sub-2", "sub-1", "sub-3"]
    assert everything == list(choose_units(rows, 50, ages))
    assert {"sub-5": "5", "sub-2": "2", "sub-1": "1"} == choose_units(rows, 3, ages)
    assert {} == choose_units(rows, 0, ages)


def test_pages_that_lie_highest_are_a_units_own():
    """The others belong to them, as the methods in `logs/`."""
    paths = ["out/sub-1_b.html", "out/sub-1_a.HTML", "out/logs/methods.html", "out/sub-1/x.json"]
    assert ["out/sub-1_a.HTML", "out/sub-1_b.html"] == top_pages(paths)
    assert ["out/reports/x/y.html"] == top_pages(["out/reports/x/y.html", "a.txt"])
    assert [] == top_pages([])


def test_no_name_leads_elsewhere():
    """Whatever a file is called, its link leads to it, and its name is text."""
    link = Link.to('pages/sub-1/"><b>#?%\udcff.html', '"><b>#?%\udcff.html')
    assert "pages/sub-1/%22%3E%3Cb%3E%23%3F%25%FF.html" == link.href
    assert '"><b>#?%\\xff.html' == link.name
