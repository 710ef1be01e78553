"""Lists of names that stay short."""

import pytest
from bidsloom.base.text import a_few, text_table


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
    ],
)
def test_only_names_beyond_the_limit_are_counted(names, text):
    assert text == a_few(names, 3)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_table_fits_the_terminal(width):
    """Long cells go on below; no word of them is lost."""
    words = [f"word{n}" for n in range(60)]
    rows = [["short", " ".join(words), "/a/long/path" * 10], ["x", "line\nbreak", ""]]
    table = text_table(["a", "b", "c"], rows, width=width)
    assert max(map(len, table.splitlines())) <= width
    assert all(word in table for word in words)
    assert "line break" in table
