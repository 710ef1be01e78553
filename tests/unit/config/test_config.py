"""Configurations that nobody thought of: each is a study or one error message.

`make test-fuzz` tries many more of them than the ordinary tests do.
"""

import copy
import json
from typing import Any

import pytest
import yaml
from bidsloom.base.errors import ConfigFailure, error_message
from bidsloom.config import Study, read_config, read_study
from bidsloom.config.schema import load_schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ANY = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)
FEW = settings(ANY, max_examples=150, derandomize=True)
MANY = settings(ANY, max_examples=2000)
# What programs stumble over.
ODD_TEXTS = ["", " ", "\n", "\0", "-x", "--", "~", "~nouser/x", "$HOME", "$(touch X)", "`touch X`"]
ODD_TEXTS += ["a\nb", "'", '"', "\\", "{", "}", "{}", "{x}", "{{x}}", "%", "#", "*", "../..", "/"]
ODD_TEXTS += [".git", "file://", "ria+file://", "ria+file:///x#~", "://", "a:b", "a:b:c:d", "[x"]
ODD_TEXTS += [
    "ext::x",
    "http://[x",
    "\ud800",
    "\x7f",
    "é" * 200,
    "x" * 5000,
    "0",
    "01",
    "\u0661G",
    "0G",
]
ODD_TEXTS += ["9" * 400, "1-", "--5:00", "1:2:3:4", "sub-", "README.md", "/dev/zero", "~/x", "a;b"]
ODD_VALUES = [None, True, False, 0, -1, 1, 2**63, 10**400, 0.5, 8.0, float("nan"), float("inf")]
ODD_VALUES += [1e300, [], {}, [[]], [None], {"": ""}, {1: 2}, {"a": {"b": "c"}}, b"x", {1, 2}, ()]
odd_values = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.sampled_from(ODD_VALUES),
    st.text(max_size=20),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
        ),
        max_leaves=8,
    ),
)
GOOD: dict[str, Any] = {
    "study": "adhd",
    "datalad": {"input_repo": "/data/in", "output_repos": ["/data/out.git"]},
    "container": {"name": "app", "image": "/images/app.sif"},
}


@st.composite
def values(draw, schema: dict, odd: int = 12):
    """A value of a schema; once in a while another one."""
    if draw(st.integers(0, odd)) == 0:
        return draw(odd_values)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kinds = schema.get("type", "object")
    kind = draw(st.sampled_from(kinds)) if isinstance(kinds, list) else kinds
    if kind == "object":
        return draw(mappings(schema, odd))
    if kind == "array":
        items = values(schema.get("items", {"type": "string"}), odd)
        return draw(st.lists(items, max_size=3))
    if kind == "string":
        examples = [e for e in schema.get("examples", []) if isinstance(e, str)]
        if examples and draw(st.integers(0, odd)):
            return draw(st.sampled_from(examples))
        texts = st.sampled_from(ODD_TEXTS)
        if "pattern" in schema:
            texts |= st.from_regex(schema["pattern"])
        return draw(texts)
    plain = {"integer": st.integers(0, 50), "number": st.floats(0, 5), "boolean": st.booleans()}
    return draw(plain.get(kind, st.none()))


@st.composite
def mappings(draw, schema: dict, odd: int = 12):
    """A mapping of a schema, with some of its keys, and a few that it does not know."""
    known = schema.get("properties", {})
    names = draw(st.lists(st.sampled_from(sorted(known)), unique=True)) if known else []
    names += [name for name in schema.get("required", []) if draw(st.integers(0, 9))]
    found = {name: draw(values(known[name], odd)) for name in names}
    further = schema.get("additionalProperties", True)
    if isinstance(further, dict) or draw(st.integers(0, 200)) == 0:
        inner = further if isinstance(further, dict) else {"type": "string"}
        keys = st.sampled_from(["PATH", "x", "suffix", "-w", "a b", "x\n", ""]) | st.integers(0, 3)
        for name in draw(st.lists(keys, max_size=2)):
            found[name] = draw(values(inner, odd))
    return found


@st.composite
def configs(draw):
    """A good configuration with one or a few odd values, or one from the schema alone."""
    schema = load_schema()
    if draw(st.booleans()):
        return draw(values(schema, 40))
    config = copy.deepcopy(GOOD)
    for section in draw(st.lists(st.sampled_from(sorted(schema["properties"])), max_size=4)):
        value = draw(values(schema["properties"][section], 60))
        if isinstance(value, dict) and isinstance(config.get(section, {}), dict):
            config[section] = {**config.get(section, {}), **value}
        else:
            config[section] = value
    return config


def study_or_message(config: Any) -> Study | None:
    """The study, or None for an error message; anything else is raised."""
    try:
        study = read_study(config)
    except ConfigFailure as e:
        assert e.problems
        assert all(problem.hint for problem in e.problems)
        error_message(e.problems).encode(errors="strict")
        return None
    repr(study)
    return study


@FEW
@given(configs())
def test_any_configuration_is_a_study_or_a_message(config):
    """No traceback, no hang."""
    study_or_message(config)


@pytest.mark.fuzz
@MANY
@given(configs())
def test_many_configurations(config):
    """The same, 2,000 times, with another seed each time."""
    study_or_message(config)


@FEW
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="replace")))
def test_any_bytes_are_a_mapping_or_a_message(tmp_path_factory, content):
    """A file need not be text, let alone YAML."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(read_config(path), dict)
    except ConfigFailure as e:
        assert str(e)


@settings(FEW, max_examples=40)
@given(configs())
def test_a_written_configuration_is_read_again(tmp_path_factory, config):
    """What YAML and JSON can hold reaches the study as it was written."""
    path = tmp_path_factory.getbasetemp() / "written.yaml"
    for dump in (json.dumps, yaml.safe_dump):
        try:
            path.write_text(dump(config))
        except (TypeError, ValueError, yaml.YAMLError):
            continue
        try:
            again = read_config(path)
        except ConfigFailure:
            continue
        study_or_message(again)
