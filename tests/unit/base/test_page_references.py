"""The local files that an HTML page names."""

import pytest
from bidsloom.base.page_references import local_references


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<img src="sub-1/figures/a%20b.svg?x#y">', ["out/sub-1/figures/a b.svg"]),
        ("<object type='image/svg+xml' data='./f.svg'>", ["out/f.svg"]),
        ("<a HREF = other.html>", ["out/other.html"]),
        ('<a href="a&amp;b.html"><img src="a&amp;b.html">', ["out/a&b.html"]),
        ('<img src="../logs/x.png">', ["logs/x.png"]),
        ('<a href="#top"><a href="sub-1.html"><a href="?q">', []),
        ('<a href="/etc/passwd"><a href="//host/x"><a href="file:///etc/passwd">', []),
        ('<img src="../../x.png"><a href="javascript:alert(1)">', []),
        ('<img src="data:image/png;base64,AAAA"><p data-src="x.png">', []),
        ('<img src="%2Fetc%2Fpasswd"><img src="..%2F..%2Fx">', []),
    ],
)
def test_only_files_below_the_root_are_named(text, found):
    """Relative paths, decoded; no anchor, no address, nothing that leads out."""
    assert found == list(local_references(text, "out/sub-1.html"))
