"""Dataclasses to and from the JSON of `results/<study>/`.

Records outlive versions: an unknown key is ignored, a missing one (or null)
has its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any


def known_fields(record: type, value: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the JSON's keys that a dataclass has, without null."""
    names = names_of(record)
    return {name: found for name, found in value.items() if name in names and found is not None}


@cache
def names_of(record: type) -> frozenset[str]:
    """The names of a dataclass' fields."""
    return frozenset(field.name for field in fields(record))


def told_fields(record: Any) -> dict[str, Any]:
    """The fields of a dataclass instance that say something: those that differ from the default."""
    values = ((field, getattr(record, field.name)) for field in fields(record))
    return {field.name: value for field, value in values if value != default_of(field)}


def default_of(field: Field) -> Any:
    """A field's default; a new object, which equals nothing, where it has none."""
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else object()
