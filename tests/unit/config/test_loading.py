"""Configuration files: what is read, and what is refused with its line and a remedy."""

import os

import pytest
from bidsloom.base.errors import ConfigFailure
from bidsloom.config import read_config, read_study
from bidsloom.config.loading import read_key_lines
from bidsloom.config.text_files import MAX_BYTES
from helpers.old_config import OLD

BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
CHAIN = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 2000))


def faults(path) -> list[str]:
    """All faults of a file, as the user reads them."""
    with pytest.raises(ConfigFailure) as caught:
        read_config(path)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("study: é\n".encode("utf-16"), ("UTF-16", "iconv -f UTF-16 -t UTF-8")),
        ("study: a\n".encode("utf-16-le"), ("UTF-16LE", "iconv")),
        ("study: a\n".encode("utf-32"), ("UTF-32", "iconv")),
        (b"a: 1\nb: M\xfcller\n", ("line 2", "ISO-8859-1 (latin-1)", "iconv -f ISO-8859-1")),
        (b"a: 1\nb: \x93x\x94\n", ("line 2", "WINDOWS-1252", "iconv -f WINDOWS-1252")),
        (b"a: 1\nb: \0\n", ("line 2", "control character '\\x00'")),
        (b"", ("is empty", "config/template.yaml")),
        (b"# nothing yet\n", ("is empty",)),
        (b"- a\n", ("holds a list", "key: value")),
        (b"a", ("holds a single value",)),
        (b"a: 1\n---\nb: 1\n", ("line 2", "second document")),
        (b"a: 1\nb: &x [*x]\n", ("line 2", "*x inside itself")),
        (b"a: 1\nb: *x\n", ("line 2", "alias")),
        (b"a:\n  b: " + b"[" * 20000 + b"]" * 20000, ("line 2", "inside each other")),
        (b'{"a": ' * 20000 + b"1" + b"}" * 20000, ("inside each other",)),
        (CHAIN.encode(), ("inside each other",)),
        (BOMB.encode(), ("too many values",)),
        (b"a: 1\nb: 2020-13-45\n", ("line 2", "a date", '"2020-13-45"')),
        (b"a: 2020-01-02\n", ("line 1", "a date", '"2020-01-02"')),
        (b"a: " + b"9" * 5000, ("line 1", "number")),
        (b'{"a": ' + b"9" * 5000 + b"}", ("number",)),
        (b'{"a": NaN}', ("NaN",)),
        (b'{"a": 1,\n "b": ]', ("line 2",)),
        (b"a:\n\tb: 1\n", ("line 2", "tab")),
        (b"a: [1,\nb: 2\n", ("not valid YAML", "bracket")),
        (b"? [1]\n: 2\n", ("line 1", "as a key")),
        (b"a: !!python/object/apply:os.system [touch x]\n", ("line 1", "tag")),
        (b"a: !!set {x}\n", ("line 1", "a set")),
        (b"a: !!binary aGk=\n", ("line 1", "binary data")),
        (b"__use_yte__: true\na: ?1 + 1\n", ("__use_yte__", "delete the key")),
        (b"# x\n" * (MAX_BYTES // 4 + 1), ("larger than 2 MB", "subjects.include")),
    ],
    ids=lambda value: "-".join(value)[:30] if isinstance(value, tuple) else "",
)
def test_a_fault_names_the_line_and_the_remedy(content, words, tmp_path):
    """No traceback, no endless reading: one error message."""
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    (fault,) = faults(path)
    assert str(path) in fault
    assert "\nHint: " in fault
    assert [] == [word for word in words if word not in fault]


@pytest.mark.parametrize("name", ["study.yaml", "study.json"])
def test_keys_given_twice_are_refused_all_at_once(name, tmp_path):
    """The last one would win in silence."""
    texts = {
        "study.yaml": "hpc:\n  cpus: 1\n  mem: 1G\n  cpus: 8\nstudy: a\nstudy: b\n",
        "study.json": '{"hpc": {\n"cpus": 1,\n"mem": "1G",\n"cpus": 8},\n"study": "a",\n"study": "b"}',
    }
    (tmp_path / name).write_text(texts[name])
    found = sorted(faults(tmp_path / name))
    assert len(found) == 2
    assert "line 4, gives 'cpus' a second time; the first is in line 2" in found[0]
    assert "line 6, gives 'study' a second time; the first is in line 5" in found[1]


def test_a_special_file_is_not_waited_for(tmp_path):
    """A fifo has no end, a folder no text."""
    os.mkfifo(tmp_path / "fifo.yaml")
    assert "it is a fifo" in faults(tmp_path / "fifo.yaml")[0]
    assert "it is a folder" in faults(tmp_path)[0]
    assert "No such file" in faults(tmp_path / "missing.yaml")[0]
    assert "null character" in faults(tmp_path / "a\0b.yaml")[0]


def test_what_yaml_allows_is_read(tmp_path):
    """A byte order mark of UTF-8, anchors, merged keys, several spellings of texts."""
    path = tmp_path / "study.yaml"
    path.write_text("\ufeffa: &a {x: 1}\nb: {<<: *a, y: 'é'}\nc: |\n  two\n  lines\n", "utf-8")
    assert read_config(path) == {"a": {"x": 1}, "b": {"x": 1, "y": "é"}, "c": "two\nlines\n"}


def test_json_with_tabs_is_read(tmp_path):
    """Tabs are blanks in JSON, whatever the file is called."""
    (tmp_path / "study.yaml").write_text('{\n\t"a": [1, true, null]\n}\n')
    assert read_config(tmp_path / "study.yaml") == {"a": [1, True, None]}


def test_a_fault_of_a_value_names_its_line(tmp_path):
    """The schema knows keys, the file knows where they are."""
    path = tmp_path / "study.yaml"
    path.write_text(
        "datalad:\n  input_repo: a\n  output_repos: [b]\n"
        "container:\n  name: app\n  image: x.sif\nhpc:\n  retry:\n    memory_factor: 0\n"
        "  tiem: 5\n"
    )
    with pytest.raises(ConfigFailure) as caught:
        read_study(read_config(path))
    said = [problem.message for problem in caught.value.problems]
    assert "hpc.tiem is not a known key (study.yaml, line 10)." in said
    assert any("memory_factor is 0" in m and "(study.yaml, line 9)" in m for m in said)


def test_lines_of_several_files(tmp_path):
    """As Snakemake joins them: the last file counts, and the command line before all."""
    (tmp_path / "a.yaml").write_text("study: a\nhpc: {cpus: 1}\n")
    (tmp_path / "b.yaml").write_text("\n\nstudy: b\n")
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    lines = read_key_lines(files, given=["hpc"])
    assert lines == {"study": "b.yaml, line 3"}


def test_faults_of_all_files_are_shown(tmp_path):
    """One pass over all of them."""
    (tmp_path / "a.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "b.yaml").write_text("")
    with pytest.raises(ConfigFailure) as caught:
        read_key_lines([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert len(caught.value.problems) == 2


def test_values_of_any_program_are_looked_at():
    """A mapping need not come from a file: cycles, odd keys and odd kinds are faults, too."""
    cycle: dict = {}
    cycle["study"] = cycle
    for config in (cycle, {1: 2}, {**OLD, "study": b"x"}, {**OLD, "study": {1, 2}}, 5, None):
        with pytest.raises(ConfigFailure):
            read_study(config)
