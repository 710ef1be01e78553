"""What a start says before its first job."""

from bidsloom.main_process.start_message import describe_selection
from bidsloom.units.unit import Units
from helpers.units import unit


def test_summary_is_short():
    """The most frequent reason comes first, with a few of those it concerns."""
    excluded = {
        "sub-02": "not listed in subjects.include",
        "sub-10": "not listed in subjects.include",
        "sub-11": "listed in subjects.exclude",
    }
    listed = Units("commit", (unit("sub-01"),), tuple(excluded.items()))
    assert list(describe_selection(listed)) == [
        "1 unit; 3 left out:",
        "  2: not listed in subjects.include (sub-02, sub-10)",
        "  1: listed in subjects.exclude (sub-11)",
    ]
