"""Print config/README.md, made from the schema of the configuration."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow" / "scripts"))

from bidsloom.config.schema import load_schema

HEAD = """\
# Config keys

One YAML (or JSON) file per study; `config/config.yaml` is the demo's.
With `snakemake --configfile my-study.yaml` that file alone is the study.
Paths are absolute, or relative to the folder where `snakemake` is started.
`~` and `$VARIABLES` in them are expanded.
A section may be left out where none of its keys is required.

<!-- Made from workflow/schemas/config.schema.yaml by `make docs`. -->
"""
COLUMNS = """\
| Key | Type | Default | Meaning |
|---|---|---|---|
"""


def describe_schema(schema: dict) -> str:
    """The page: a table of the keys outside of sections, and one of each section."""
    sections = {name: sub for name, sub in schema["properties"].items() if is_section(sub)}
    single = {name: sub for name, sub in schema["properties"].items() if name not in sections}
    parts = [HEAD, table(describe({**schema, "properties": single}))]
    for name, sub in sections.items():
        text = " ".join(sub["description"].split())
        parts += [f"\n## {name}\n\n{text}\n", table(describe(sub, f"{name}."))]
    return "\n".join(parts)


def table(rows: Iterable[str]) -> str:
    """Rows below the names of their columns."""
    return COLUMNS + "\n".join(rows)


def is_section(schema: dict) -> bool:
    """True for a mapping whose keys are known."""
    return "properties" in schema and schema["additionalProperties"] is False


def describe(schema: dict, prefix: str = "") -> Iterator[str]:
    """A table row for every key below a schema."""
    for name, sub in schema["properties"].items():
        key = f"{prefix}{name}"
        if is_section(sub):
            yield from describe(sub, f"{key}.")
            continue
        yield f"| `{key}` | {type_of(sub)} | {default_of(name, sub, schema)} | {meaning_of(sub)} |"


def literal(value: object) -> str:
    """A value as YAML writes it."""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def type_of(schema: dict) -> str:
    """A key's type in words."""
    if "enum" in schema:
        return ", ".join(literal(value) for value in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = {"array": "list", "object": "mapping", "string": "text", "boolean": "true or false"}
    return " or ".join(words.get(kind, kind) for kind in kinds)


def default_of(name: str, schema: dict, parent: dict) -> str:
    """A key's default."""
    if name in parent.get("required", []):
        return "**required**"
    if schema.get("default") in (None, ""):
        return ""
    value = schema["default"]
    if isinstance(value, list) and value:
        return ", ".join(f"`{item}`" for item in value)
    return literal(value)


def meaning_of(schema: dict) -> str:
    """A key's description, with an example."""
    text = " ".join(schema["description"].split())
    if schema.get("examples"):
        text += f" Example: `{schema['examples'][0]}`"
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(describe_schema(load_schema()))
