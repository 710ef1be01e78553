"""The schema of the configuration, and what hints for every key need.  Cheap: each job reads it."""

from __future__ import annotations

import difflib
from functools import cache
from typing import Any

import yaml

from ..base.paths import SCHEMA_FILE

QUOTES = 'put labels in quotes, "001"; without them YAML reads a number and drops the zeros.'
# With libyaml, where PyYAML was built with it, it takes a tenth of the time.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def load_schema() -> dict:
    """The schema of the configuration."""
    return yaml.load(SCHEMA_FILE.read_text(), Loader=LOADER)


def nearest(name: str, known: list[str]) -> str:
    """A hint with the known name that is most similar to `name`, else with all of them."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}."
