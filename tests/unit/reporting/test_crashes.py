"""Crash files that say the same are put together."""

from bidsloom.reporting.crashes import Crash, CrashFile, group_crashes, parse_crash

TEXT = b"""Node: fmriprep_25_1_wf.sub_01_wf.anat_fit_wf.skull_strip
Working directory: /tmp/work

Node inputs:
x = 1

Traceback (most recent call last):
  File "a.py", line 3
RuntimeError: no brain in sub-01 at 0x7f

"""


def test_node_and_last_line():
    assert CrashFile(
        "sub-01", "skull_strip", "RuntimeError: no brain in sub-01 at 0x7f"
    ) == parse_crash("sub-01", TEXT, TEXT)


def test_pickles_are_not_read():
    """They are compressed, and whoever opens a pickle runs it."""
    assert parse_crash("sub-01", b"\x1f\x8b\x08", b"\0\1") is None
    assert parse_crash("sub-01", b"", b" \n") is None


def test_crashes_that_end_alike_are_one():
    """Names and numbers differ between units, not their trouble."""
    files = [
        CrashFile("sub-03", "register", "MemoryError"),
        CrashFile("sub-01", "skull_strip", "no brain in sub-01 at 0x7f"),
        CrashFile("sub-01", "segment", "no brain in sub-01 at 0x8f"),
        CrashFile("sub-02", "skull_strip", "no brain in sub-02 at 0x1f"),
    ]
    assert [
        Crash("no brain in sub-01 at 0x7f", ("skull_strip", "segment"), ("sub-01", "sub-02"), 3),
        Crash("MemoryError", ("register",), ("sub-03",), 1),
    ] == group_crashes(files)
