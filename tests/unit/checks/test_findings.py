"""Looks before a study, what they find, and the table that tells it."""

import pytest
from bidsloom.base.errors import ConfigFailure, WorkflowFailure, refuse
from bidsloom.checks.findings import (
    Caution,
    Check,
    Level,
    failures,
    findings_table,
    read_findings,
    run_checks,
    write_findings,
)


def raising(error):
    def look():
        raise error

    return look


LOOKS = [
    Check("disk", "space", check=lambda: None, tell=lambda: "80 GB"),
    Check("image", "a file", check=raising(WorkflowFailure("no file", hint="make one"))),
    Check("BIDS", "no errors", tell=raising(Caution("two errors", hint="mend them"))),
]


def test_one_list_of_looks_for_letters_and_table(tmp_path, monkeypatch):
    """What refuses a start is a failure in the table; a warning refuses nothing."""
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(ConfigFailure) as refused:
        refuse(failures(run_checks(LOOKS)))
    assert ["no file"] == [problem.message for problem in refused.value.problems]
    told = run_checks(LOOKS, telling=True)
    assert [Level.OK, Level.FAILURE, Level.WARNING] == [f.level for f in told]
    refuse(failures([told[0], told[2]]))
    # As another process reads it.
    write_findings(tmp_path / "node.json", told)
    again = read_findings(tmp_path / "node.json")
    (letter,) = failures(again)
    assert "no file" in letter.message and letter.hint == "make one"
    table = findings_table(again)
    assert table.count("\n") == 6
    assert "80 GB" in table and "make one" in table and "mend them" in table
    assert table.endswith("1 ok, 1 warning(s), 1 failure(s)")


def test_table_tells_a_thing_once_and_at_its_worst():
    """Two looks at one thing in one place: a failure is not hidden by the other's success."""
    image = "image"
    fine = Check(image, "a file", tell=lambda: "fine")
    for looks in ([LOOKS[1], fine], [fine, LOOKS[1]]):
        table = findings_table(run_checks(looks, telling=True))
        assert "no file" in table and "fine" not in table
