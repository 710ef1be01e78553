"""Faults of a configuration, and the schema that they are found by."""

import re
from collections.abc import Iterator

import jsonschema
import pytest
import yaml
from bidsloom.base.errors import ConfigFailure
from bidsloom.config import read_study
from bidsloom.config.schema import SCHEMA_FILE, load_schema
from helpers.old_config import OLD, changed
from helpers.studies import REPOSITORY


def faults(config) -> list[str]:
    """All faults of a configuration, as the user reads them."""
    with pytest.raises(ConfigFailure) as caught:
        read_study(config)
    return [str(problem) for problem in caught.value.problems]


def test_every_fault_in_one_pass():
    """Faults of different keys are reported together, each with a hint."""
    config = changed("hpc", cpus=0, mem="lots")
    config["container"] = {**OLD["container"], "name": "fmri prep"}
    config["nonsense"] = 1
    found = faults(config)
    assert len(found) == 4
    assert all("Hint: " in fault for fault in found)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (changed("datalad", input_rep="x"), "did you mean 'input_repo'?"),
        (changed("container", runtime="aptainer"), "did you mean 'apptainer'?"),
        (changed("hpc", time=86400), "put it in quotes"),
        (changed("container", runtime="none"), "call_fmt is empty"),
        ({**OLD, "subjects": {"include": [1]}}, "put labels in quotes"),
        ({**OLD, "subjects": {"exclude": 7}}, "put labels in quotes"),
        ({**OLD, "subjects": {"sessions": [1], "processing_level": "session"}}, "put labels in"),
        ({**OLD, "subjects": {"require": [{"mt": True}]}}, "put labels in quotes"),
        ({**OLD, "subjects": {"require": [{"min": 2}]}}, "names no files"),
        ({**OLD, "subjects": {"sessions": ["pre"]}}, "processing_level: session"),
        ({**OLD, "subjects": {"limit": 0}}, "subjects.limit is 0; expected: at least 1"),
        ({**OLD, "subjects": {"limit": "5"}}, "subjects.limit is '5'; expected: a value of type"),
        ({k: v for k, v in OLD.items() if k != "container"}, "container is missing"),
        (changed("datalad", output_repos=["a", "b"]), "lists 2 repositories"),
        (changed("datalad", output_repos=["a", "a"]), "is named twice"),
        (changed("container", outputs=["A", "a"]), "the same folder as 'A'"),
        ([], "expected: keys with values"),
    ],
)
def test_fault_says_what_to_type(config, words):
    """Each fault names the key and the remedy."""
    assert any(words in fault for fault in faults(config))


def test_unquoted_time_is_a_trap_that_is_told():
    """YAML reads 24:00:00 without quotes as a number of seconds."""
    config = yaml.safe_load("hpc: {time: 24:00:00}")
    assert any("quotes" in fault for fault in faults({**OLD, **config}))


def keys_of(schema, prefix="") -> Iterator[tuple[str, dict]]:
    """Every key that a schema names, with its own schema; those of lists' entries too."""
    for name, sub in schema.get("properties", {}).items():
        yield f"{prefix}{name}", sub
        yield from keys_of(sub, f"{prefix}{name}.")
    if "items" in schema:
        yield from keys_of(schema["items"], prefix)
    for inner in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        yield from keys_of(inner, prefix)


def test_every_key_is_described():
    """The schema describes each key: it is the reference table's only source, and an editor's."""
    jsonschema.Draft202012Validator.check_schema(load_schema())
    keys = dict(keys_of(load_schema()))
    assert {"hpc.retry", "datalad.inputs.path", "subjects.require.min", "notify.on"} <= set(keys)
    assert [] == [key for key, sub in keys.items() if len(sub.get("description", "")) < 10]


@pytest.mark.parametrize(
    "path",
    sorted([*REPOSITORY.glob("config/*.yaml"), *REPOSITORY.glob("config/examples/*.yaml")]),
    ids=lambda path: path.name,
)
def test_editors_find_the_schema(path):
    """The first line of each config leads to the schema, by which the config is whole."""
    first = path.read_text().splitlines()[0]
    (place,) = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first).groups()
    assert SCHEMA_FILE.resolve() == (path.parent / place).resolve()
    jsonschema.validate(yaml.safe_load(path.read_text()), yaml.safe_load(SCHEMA_FILE.read_text()))
