"""The files that an HTML page names: its figures, styles, and pages it links to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

# Of an element's attributes; the value is quoted or a bare word.
_REFERENCE = re.compile(
    r"""[\s"'](?:src|href|data|poster)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# Longer values are no names of files, but images as text.
LONGEST = 2000


def local_references(text: str, page: str) -> Iterator[str]:
    """The paths of local files that a page names, relative to what `page` is relative to.

    Each once, in the order of the page.  Anchors, addresses with a scheme or a
    server, absolute paths, and paths that lead out of the root are left out.

    >>> list(local_references('<img src="sub-1/figures/a%20b.svg#x">', "out/sub-1.html"))
    ["out/sub-1/figures/a b.svg"]
    """
    # Not at the top: every job imports this module, and few read a page.
    from html import unescape

    seen = {page}
    for match in _REFERENCE.finditer(text):
        value = match[1] or match[2] or match[3] or ""
        if len(value) > LONGEST:
            continue
        value = unescape(value).strip()
        if _SCHEME.match(value) or value.startswith(("/", "\\")):
            continue
        name = unquote(re.split("[?#]", value, maxsplit=1)[0], errors="surrogateescape")
        if not name or "\0" in name:
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), name))
        if path in seen or path.startswith(("/", "../")) or path in (".", ".."):
            continue
        seen.add(path)
        yield path
