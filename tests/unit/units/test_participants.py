"""Lists of labels, and participants.tsv."""

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.units.participants import parse_participants, read_labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("sub-01\n02 # moved\n\n# all\n  10\r\n", ("01", "02", "10")),
        ("\ufeffparticipant_id\tage\nsub-01\t3\nsub-02\tn/a\n", ("01", "02")),
        ("age\tparticipant_id\n3\t01\n\n", ("01",)),
        ("participant_id\nsub-01\nsub-01\n", ("01",)),
        ("", ()),
    ],
)
def test_label_file(tmp_path, text, labels):
    """One label a line, or the column of a table."""
    path = tmp_path / "list"
    path.write_text(text, newline="")
    assert labels == read_labels(path, key="subjects.include")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id\tage\nsub-01\t3\n", "no column participant_id"),
        (b"participant_id\tage\nsub-01\t3\nsub-01\t4\n", "more than one row of sub-01"),
        (b"participant_id\tage\nsub-01\t3\t4\t5\n", "cannot be read"),
        (b"participant_id\tage\tage\nsub-01\t3\t4\n", "two columns have the same name"),
        (b"participant_id\nsub-\xff\n", "cannot be read"),
        (b"", "no column participant_id"),
    ],
)
def test_broken_table_is_a_letter(content, words):
    with pytest.raises(WorkflowFailure, match=words):
        parse_participants(content, source="ds at 123")
