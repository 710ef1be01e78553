"""Patterns of paths: what they match, and what is no pattern."""

import pytest
from bidsloom.base.patterns import to_regex


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("a/*.html", "a/b.html", True),
        ("a/*.html", "a/b/c.html", False),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/b/c", True),
        ("**/c", "c", True),
        ("**/c", "bc", False),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a", "a/b/c", True),
        ("a", "ab", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[bc]d", "acd", True),
        ("a[!bc]d", "acd", False),
        ("a[!b]c", "a/c", False),
        ("a[^]d", "a^d", True),
        ("a[[]d", "a[d", True),
        ("a[b", "a[b", True),
        ("a.{nii.gz,gii}", "a.gii", True),
        ("a.{nii.gz,gii}", "a.nii", False),
        ("{a*,{b,c}/*}/d", "c/x/d", True),
        ("a,b", "a,b", True),
        ("a+(b)$", "a+(b)$", True),
        ("*", "a\nb", True),
        ("x**/y", "xa/b/y", True),
    ],
)
def test_what_a_pattern_matches(pattern, path, matches):
    assert matches is bool(to_regex(pattern).match(path))


@pytest.mark.parametrize("pattern", ["a{b", "a}b", "a{b,{c}", "a[z-b]"])
def test_what_is_no_pattern_is_said(pattern):
    with pytest.raises(ValueError, match=r"without its|range"):
        to_regex(pattern)
