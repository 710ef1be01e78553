"""A config file that is changed from a form: comments, order and meaning stay."""

import pytest
import yaml
from bidsloom.base.errors import ConfigFailure
from bidsloom.base.paths import EXAMPLES, REPOSITORY
from bidsloom.page.config_files import find_faults, value_of, with_value

FILES = [*sorted(EXAMPLES.iterdir()), REPOSITORY / "config" / "template.yaml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_the_changed_line_differs(path):
    """Of each template, with its comments and its ways of writing lists."""
    text = path.read_text()
    value = value_of(path, text)
    assert text == with_value(path, text, value)
    value["hpc"]["cpus"] = 77
    old, new = text.splitlines(), with_value(path, text, value).splitlines()
    assert len(old) == len(new)
    assert ["  cpus: 77"] == [b for a, b in zip(old, new, strict=True) if a != b]


@pytest.mark.parametrize(
    "value",
    ["24:00:00", "yes", "on", "1e3", "0o7", "007", "null", "# no", "a: b", "ä\nb", "2026-01-02"],
)
def test_a_text_stays_a_text(tmp_path, value):
    """YAML 1.1 reads numbers and dates where YAML 1.2 reads texts; ours is read as 1.1."""
    path = tmp_path / "config.yaml"
    text = "hpc:\n  cpus: 1  # few\n"
    new = with_value(path, text, {"hpc": {"cpus": 1, "time": value, "modules": [value, "x"]}})
    assert {"cpus": 1, "time": value, "modules": [value, "x"]} == yaml.safe_load(new)["hpc"]
    assert new.startswith("hpc:\n  cpus: 1  # few\n")


def test_keys_come_and_go(tmp_path):
    """A section that is added, a key that is removed, the key `on`, and a list of mappings."""
    path = tmp_path / "config.yaml"
    text = "# mine\na: 1\nb:\n  # c\n  c: 2\n  d: 3 # three\ne: [1, 2]\n"
    value = {"b": {"d": 3}, "e": [1, 2], "notify": {"on": ["failure"]}, "l": [{"x": 1}, {"y": [2]}]}
    new = with_value(path, text, value)
    assert value == value_of(path, new)
    assert "  d: 3 # three\ne: [1, 2]\n" in new


def test_old_json_files_can_be_changed(tmp_path):
    path = tmp_path / "study.json"
    new = with_value(path, '{"hpc": {"cpus": 1}, "b": 2}', {"hpc": {"cpus": 3}, "b": 2})
    assert '{\n  "hpc": {\n    "cpus": 3\n  },\n  "b": 2\n}\n' == new


def test_faults_are_those_of_the_command_line(tmp_path):
    """Also of a text that is no config at all."""
    path = tmp_path / "config.yaml"
    for text in ("a: [", "- 1", "", "hpc: {cpus: zero}\nnonsense: 1\n", "a: 1\na: 2\n"):
        path.write_text(text)
        with pytest.raises(ConfigFailure) as told:
            from bidsloom.config import read_config, read_study

            read_study(read_config(path), base=tmp_path)
        found = find_faults(path, text, base=tmp_path)
        assert [p.message for p in told.value.problems] == [p.message for p in found]
