"""Expressions over participants.tsv: what they mean, and what they may not do."""

import contextlib

import pandas as pd
import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.units.expression import find_true
from bidsloom.units.participants import parse_participants

TABLE = (
    "participant_id\tgroup\tage\tsite\thand score\tnote\tindex\n"
    "sub-01\tpatient\t50\t01\t1\tn/a\t1\n"
    "sub-02\tcontrol\t30\t02\t-1.5\tn/a\t2\n"
    "sub-03\tn/a\tn/a\t10\tn/a\tn/a\t3\n"
    "sub-04\tit's `a` @b\t40\t1e3\t2e1\tn/a\t4\n"
)


def true_of(expression: str) -> list[str]:
    """Subjects of whom an expression is true."""
    table = parse_participants(TABLE.encode(), source="ds")
    return sorted(find_true(expression, table, source="ds at 123"))


@pytest.mark.parametrize(
    ("expression", "subjects"),
    [
        ("group == 'patient' and age > 40", "01"),
        ("group == 'patient' & age > 40", "01"),
        ("(group == 'control') | (age == 40)", "02 04"),
        ("age / 2 + 1 > 20", "01 04"),
        ("30 < age <= 50", "01 04"),
        ("not (30 < age <= 50)", "02"),
        ("group in ['patient', 'control']", "01 02"),
        ("`hand score` < 0", "02"),
        ("index > 3", "04"),
        ("site == '01'", "01"),
        ("participant_id != 'sub-01'", "02 03 04"),
        ("group == 'it\\'s `a` @b'", "04"),
        ("age >\n  40", "01"),
    ],
)
def test_expression(expression, subjects):
    assert subjects.split() == true_of(expression)


@pytest.mark.parametrize(
    ("expression", "subjects"),
    [
        ("group != 'patient'", "02 04"),
        ("not group == 'patient'", "02 04"),
        ("~(group in ['patient'])", "02 04"),
        ("group not in ['patient']", "02 04"),
        ("not (age > 40 and group == 'patient')", "02 04"),
        ("age < 35 or not age < 35", "01 02 04"),
        ("group == 'n/a'", "03"),
        ("age != 'n/a'", "01 02 04"),
        ("group in ['patient', 'n/a']", "01 03"),
        ("note == 'n/a'", "01 02 03 04"),
    ],
)
def test_missing_value_is_neither_true_nor_untrue(expression, subjects):
    """A comparison with a missing value is not true, nor is its contrary."""
    assert subjects.split() == true_of(expression)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("gruop == 'patient'", "did you mean group?"),
        ("group == patient", "in quotes: 'patient'"),
        ("group = 'patient'", "equal by =="),
        ("age == '50'", "age is a number and '50' is text"),
        ("site == 1", "site is text"),
        ("group == True", "write it in quotes: 'True'"),
        ("age", "not true or false"),
        ("1 == 1", "no column"),
        ("note == 'a'", "only missing values (n/a)"),
        ("group in 'patient'", "no list"),
        ("age > 1 / 0", "cannot be calculated"),
        ("age > group - 1", "calculates with group"),
        ("age > 40 and", "cannot be read"),
        ("-" * 950 + "age > 1", "too deeply nested"),
    ],
)
def test_fault_names_expression_and_columns(expression, words):
    with pytest.raises(WorkflowFailure) as caught:
        true_of(expression)
    said = str(caught.value)
    assert words in said
    assert repr(expression) in said
    assert "participant_id, group, age, site, hand score, note, index" in said


def attacks(marker) -> list[str]:
    """What a text that is handed to pandas as it is could do; each leaves the marker."""
    return [
        f"group.to_csv({str(marker)!r})",
        f"`group`.to_csv({str(marker)!r})",
        f"@pd.io.common.os.system('touch {marker}') == 0",
        f"group.map(@pd.io.common.os.system).count() + @pd.io.common.Path({str(marker)!r}).touch()",
    ]


@pytest.mark.parametrize("number", range(4))
def test_attack_is_refused(number, tmp_path):
    """What runs code through pandas' own query does nothing here."""
    marker = tmp_path / "marker"
    expression = attacks(marker)[number]
    table = pd.DataFrame({"group": [""], "age": [1]})
    with contextlib.suppress(Exception):
        table.query(expression, engine="python")
    assert marker.exists(), "no attack on pandas"
    marker.unlink()
    with pytest.raises(WorkflowFailure):
        true_of(expression)
    assert not marker.exists()


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true') == 0",
        "@__builtins__ == 1",
        "(lambda: age > 1)()",
        "[x for x in [1]] == age",
        "f'{group}' == 'patient'",
        "group[0] == 'p'",
        "(age := 3) > 1",
        "age > 1 if group else 2",
        "age > 9 ** 9 ** 9",
        "'a' * 10 ** 10 == group",
        "sin(age) > 0",
        "age > Timestamp",
        "group.__class__ == 1",
        "`group`.str.len() > 1",
        "age @ age > 1",
        "age > 1; import os",
        "group == b'a'",
        "age is not None",
        "age > 1\0",
    ],
)
def test_nothing_but_comparisons_is_read(expression):
    """Calls, attributes, variables, subscripts, powers: each is refused by a letter."""
    with pytest.raises(
        WorkflowFailure, match=r"cannot be read|not allowed|calculates|not a column"
    ):
        true_of(expression)
