"""Patterns of paths, as regular expressions.

`*` and `?` stay within one name, `**/` is any number of folders, `[...]` one of
some characters, `{a,b}` one of some texts.  A pattern that names a folder
matches all that lies below it.
"""

from __future__ import annotations

import re

TOKENS = re.compile(r"(?:\*\*/)+|\*+|\?|\[!?\]?[^\]/]*\]|[{},]|[^*?\[{},]+|\[")


def to_regex(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern, for `match`.

    Raises `ValueError` for braces that do not pair, and for a range of
    characters that runs backwards.
    """
    parts: list[str] = []
    depth = 0
    for token in TOKENS.findall(pattern):
        if token.startswith("**/"):
            starts_a_name = not parts or parts[-1].endswith(("/", "(?:", "|"))
            parts.append("(?:[^/]+/)*" if starts_a_name else "[^/]*/(?:[^/]+/)*")
        elif token.startswith("*"):
            parts.append("[^/]*")
        elif token == "?":
            parts.append("[^/]")
        elif token.startswith("[") and len(token) > 2:
            inner = token[1:-1].replace("\\", "\\\\")
            negated = inner.startswith("!")
            parts.append(f"(?!/)[{'^' if negated else ''}{escape_class(inner[negated:])}]")
        elif token == "{":
            depth += 1
            parts.append("(?:")
        elif token == "}":
            depth -= 1
            parts.append(")")
        elif token == "," and depth:
            parts.append("|")
        else:
            parts.append(re.escape(token).replace(r"\/", "/"))
        if depth < 0:
            raise ValueError("a '}' without its '{'")
    if depth:
        raise ValueError("a '{' without its '}'")
    try:
        return re.compile(f"(?:{''.join(parts)})(?:/.*)?\\Z", re.DOTALL)
    except re.error as e:
        raise ValueError(str(e)) from e


def escape_class(inner: str) -> str:
    """The characters between brackets, without those that only regular expressions know."""
    return re.sub(r"[\[\]^&~|]", r"\\\g<0>", inner)
