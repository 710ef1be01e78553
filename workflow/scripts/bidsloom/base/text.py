"""Text for the terminal: tables that fit it, and lists that stay short."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

GAP = "  "
# No column becomes narrower than this: words would be broken.
NARROWEST = 12


def text_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None = None
) -> str:
    """Rows below their columns' names; cells that are too wide continue on the next line."""
    width = width or shutil.get_terminal_size((120, 40)).columns
    rows = [[" ".join(cell.split()) for cell in row] for row in rows]
    cells = [columns, *rows]
    widths = fit([max(map(len, column)) for column in zip(*cells, strict=True)], width)
    lines = [*lay_out(columns, widths), GAP.join("-" * w for w in widths)]
    for row in rows:
        lines += lay_out(row, widths)
    return "\n".join(lines)


def printable(name: str) -> str:
    """A file name as a message can show it: bytes that are no text are escaped."""
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def a_few(names: Sequence[str], n: int) -> str:
    """The first `n` names, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more


def fit(widths: Sequence[int], total: int) -> list[int]:
    """Widths of columns: the widest are narrowed until all fit, but not below `NARROWEST`."""
    widths = list(widths)
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - total
    while excess > 0 and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
        excess -= 1
    return widths


def lay_out(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """The lines of one row."""
    wrapped = [
        textwrap.wrap(cell, w, break_on_hyphens=False) if len(cell) > w else [cell]
        for cell, w in zip(row, widths, strict=True)
    ]
    for parts in zip_longest(*wrapped, fillvalue=""):
        padded = (part.ljust(w) for part, w in zip(parts, widths, strict=True))
        yield GAP.join(padded).rstrip()
