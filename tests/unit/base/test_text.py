"""Lists of names that stay short."""

import pytest
from bidsloom.base.text import a_few


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
