"""Faults by the schema: each names the key, its value, what is expected, and a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema

from ..base.errors import WorkflowFailure
from .plain_values import shorten, shown
from .schema import QUOTES, load_schema, nearest
from .values import as_list

LABELS = ("include", "exclude", "sessions", "require", "accept")
LABEL_KEYS = tuple(f"subjects.{key}" for key in LABELS)


def find_schema_faults(value: Any, schema: Mapping | None = None) -> Iterator[WorkflowFailure]:
    """Every fault of a value by a schema, by default that of the configuration."""
    validator = STRICT(load_schema() if schema is None else schema)
    for error in sorted(validator.iter_errors(value), key=lambda e: [str(p) for p in e.path]):
        yield from describe(error)


def match_pattern(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[jsonschema.ValidationError]:
    """The keyword `pattern`, for whose `$` a line break at the end is part of the text.

    In Python's own expressions `$` also matches before such a line break.
    """
    if isinstance(instance, str) and not strict_pattern(pattern).search(instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


@cache
def strict_pattern(pattern: str) -> re.Pattern[str]:
    """The expression of a pattern in which `$` is the very end, and digits are those of ASCII."""
    return re.compile(re.sub(r"(?<!\\)\$(?=$|[|)])", r"\\Z", pattern), re.ASCII)


def is_whole_number(_checker: Any, instance: Any) -> bool:
    """The type `integer`: 8, but not 8.0, which would reach programs as it is written."""
    return isinstance(instance, int) and not isinstance(instance, bool)


STRICT = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": match_pattern},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", is_whole_number),
)


def describe(error: jsonschema.ValidationError) -> Iterator[WorkflowFailure]:
    """A schema error in words that name the key, its value and what to do."""
    key = ".".join(str(p) for p in error.absolute_path) or "the configuration"
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        for name in sorted(set(instance) - set(known), key=str):
            full = f"{key}.{name}" if error.absolute_path else str(name)
            yield WorkflowFailure(
                f"{shorten(full)} is not a known key.", hint=nearest(str(name), known)
            )
        return
    if error.validator == "required":
        required: Any = error.validator_value
        missing = [name for name in required if name not in instance]
        # jsonschema reports each missing key by itself; its message starts with the name.
        name = next((n for n in missing if error.message.startswith(repr(n))), missing[0])
        full = ".".join([*(str(p) for p in error.absolute_path), name])
        yield WorkflowFailure(
            f"{full} is missing.", hint="config/README.md describes every key, with examples."
        )
        return
    if "propertyNames" in error.absolute_schema_path:
        yield WorkflowFailure(
            f"{key} has the name {shown('', error.instance)}, which cannot be used there.",
            hint="names consist of letters, digits, '-' and '_'.",
        )
        return
    wanted = {
        "type": lambda: f"a value of type {' or '.join(as_list(schema.get('type')))}",
        "enum": lambda: "one of " + ", ".join(map(str, schema["enum"])),
        "minItems": lambda: f"at least {schema['minItems']} item(s)",
        "maxItems": lambda: f"at most {schema['maxItems']} item(s)",
        "minimum": lambda: f"at least {schema['minimum']}",
        "maximum": lambda: f"at most {schema['maximum']}",
        "minLength": lambda: "a text that is not empty",
        "maxLength": lambda: f"a text of at most {schema['maxLength']} characters",
        "minProperties": lambda: f"at least {schema['minProperties']} key(s)",
        "pattern": lambda: f"a text of the form {schema['pattern']}",
    }.get(str(error.validator), lambda: error.message)()
    yield WorkflowFailure(
        f"{key} is {shown(key, error.instance)}; expected: {wanted}.", hint=hint_for(key, error)
    )


def hint_for(key: str, error: jsonschema.ValidationError) -> str:
    """What to type instead."""
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if key == "hpc.time" and isinstance(error.instance, int):
        return 'put it in quotes, time: "24:00:00"; without them YAML reads a number.'
    if error.validator == "enum" and isinstance(error.instance, str):
        return nearest(error.instance, [str(v) for v in schema["enum"]])
    is_label = error.validator == "type" and key.startswith(LABEL_KEYS)
    if is_label and isinstance(error.instance, int | float):
        return QUOTES
    examples = schema.get("examples")
    if examples:
        return f"for example {examples[0]!r}."
    return f"{schema.get('description', 'see config/README.md')}"
