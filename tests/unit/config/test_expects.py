"""`container.expects`: in place, from a file, a nipoppy tracker, a built-in set; and its faults."""

import json

import pytest
import yaml
from bidsloom.base.errors import ConfigFailure
from bidsloom.config import read_study
from bidsloom.config.expects import set_names, suggest_set
from bidsloom.config.expects_faults import ENTITIES, NUMBERED
from bidsloom.config.study import Expectation
from bidsloom.records.fingerprints import Fingerprints, made_from, preparation
from bidsloom.units.file_names import NUMBERED as NUMBERS
from bidsloom.units.file_names import load_entities
from bidsloom.units.unit import Unit


def config(*, subjects=None, **container) -> dict:
    return {
        "datalad": {"input_repo": "/in", "output_repos": ["/out.git"]},
        "container": {"name": "app", "image": "/image.sif", **container},
        "subjects": subjects or {},
    }


def faults(tmp_path=None, **keys) -> list[str]:
    """All faults of a configuration, as the user reads them."""
    with pytest.raises(ConfigFailure) as caught:
        read_study(config(**keys), base=tmp_path)
    return [str(problem) for problem in caught.value.problems]


def test_defaults_leave_the_choice_open():
    container = read_study(config()).container
    assert ((), "", None, ()) == (
        container.expects,
        container.expects_name,
        container.on_incomplete,
        container.leave_out,
    )
    assert ("**/crash-*.txt", "**/crash-*.pklz", "**/crash-*.rst") == container.crash_files
    assert set(container.crash_files) < set(container.evidence)


def test_expectations_in_place():
    entry = {"pattern": "b", "min": 2, "for_each": {"suffix": ["bold"]}, "drop": ["echo"]}
    container = read_study(config(expects=["a", entry])).container
    bold = Expectation("b", 2, for_each=(("suffix", ("bold",)),), drop=("echo",))
    assert (Expectation("a"), bold) == container.expects
    assert "" == container.expects_name


def test_a_file_of_ones_own(tmp_path):
    """Relative to where the study is started; a list alone, or with further crash files."""
    (tmp_path / "own.yaml").write_text("- a\n")
    study = read_study(config(expects="./own.yaml"), base=tmp_path)
    assert ((Expectation("a"),), "./own.yaml") == (
        study.container.expects,
        study.container.expects_name,
    )
    (tmp_path / "own.json").write_text(json.dumps({"files": ["a"], "crash_files": ["*.err"]}))
    study = read_study(config(expects="own.json", crash_files=["x"]), base=tmp_path)
    assert ("x", "*.err") == study.container.crash_files


@pytest.mark.parametrize("name", set_names())
def test_built_in_sets_are_without_fault(name):
    container = read_study(config(expects=name)).container
    assert name == container.expects_name
    assert len(container.expects) >= 2


def test_the_schema_names_the_built_in_sets():
    from bidsloom.config.schema import load_schema

    expects = load_schema()["properties"]["container"]["properties"]["expects"]
    assert [] == [name for name in set_names() if f"`{name}`" not in expects["description"]]


@pytest.mark.parametrize(
    ("name", "image", "suggested"),
    [
        ("prep", "/containers/fmriprep-25.1.sif", "fmriprep"),
        ("XCP-D", "/image.sif", "xcp_d"),
        ("x", "docker://pennlinc/xcp_d:0.10.6", "xcp_d"),
        ("qsirecon", "/image.sif", "qsirecon"),
        ("x", "images/bids/bids-mriqc--24.0.2.sing", "mriqc"),
        ("mriqc", "/fmriprep/app.sif", "mriqc"),
        ("app", "/fmriprep/app.sif", ""),
    ],
)
def test_the_set_that_would_fit_is_suggested(name, image, suggested):
    assert suggested == suggest_set(name, image)


def test_a_nipoppy_tracker_is_read_as_it_is(tmp_path):
    """With comments and trailing commas, as nipoppy allows; its words become ours."""
    (tmp_path / "tracker.json").write_text(
        """{
        /* what MRIQC leaves */
        "SCHEMA_VERSION": "1.0",
        "PATHS": [
            "[[NIPOPPY_BIDS_PARTICIPANT_ID]]/[[NIPOPPY_BIDS_SESSION_ID]]/anat", // a folder
            "[[NIPOPPY_PARTICIPANT_ID]]_[[NIPOPPY_SESSION_ID]]*_{x}.html",
        ],
        "PARTICIPANT_SESSION_DIR": "[[NIPOPPY_BIDS_PARTICIPANT_ID]]/[[NIPOPPY_BIDS_SESSION_ID]]",
        }"""
    )
    container = read_study(config(expects="tracker.json"), base=tmp_path).container
    assert "tracker.json" == container.expects_name
    assert (
        Expectation("sub-{subject}/ses-{session}/anat"),
        Expectation("{subject}_{session}*_[{]x[}].html"),
    ) == container.expects


def test_an_older_tracker_lists_stages(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps([{"NAME": "all", "PATHS": ["a", "b"]}]))
    container = read_study(config(expects="t.json"), base=tmp_path).container
    assert (Expectation("a"), Expectation("b")) == container.expects


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [(("suffix", ("bold",)),)]),
        ({"task-id": "rest"}, [(("suffix", ("bold",)), ("task", ("rest",)))]),
        ({"task-id": ["a", "b"], "x": 1}, [(("suffix", ("bold",)), ("task", ("a", "b")))]),
        ({"modalities": ["T1w", "bold"]}, [(("suffix", ("bold",)),)]),
        ({"modalities": ["T1w"]}, []),
        ({"anat-only": True}, []),
        ({"level": "minimal"}, []),
        ({"level": "full"}, [(("suffix", ("bold",)),)]),
    ],
)
def test_the_apps_flags_decide_what_is_expected(arguments, expected):
    entry = {
        "pattern": "a",
        "for_each": {"suffix": "bold"},
        "unless": ["--anat-only", "--level minimal"],
        "by_flag": {"task": ["-t", "--task-id"], "suffix": ["--modalities"]},
    }
    container = read_study(config(expects=[entry], bids_args=arguments)).container
    assert expected == [file.for_each for file in container.expects]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"expects": [""]}, "it is empty"),
        ({"expects": ["/data/x"]}, "it is absolute"),
        ({"expects": ["~/x"]}, "it is absolute"),
        ({"expects": ["sub-{subject}/../x"]}, "it has a part '.' or '..'"),
        ({"expects": ["a//b"]}, "an empty part"),
        ({"expects": ["a/"]}, "an empty part"),
        ({"expects": [".datalad/config"]}, ".datalad lies outside every output"),
        ({"expects": ["sub-01/x"]}, "names the subject sub-01; write sub-{subject}"),
        ({"expects": ["a{b"]}, "a '{' without its '}'"),
        ({"expects": ["a[z-b]"]}, "can match no file"),
        ({"expects": [{"pattern": "sub-01/x"}]}, "container.expects.0 is 'sub-01/x'"),
        ({"expects": ["sub-{subjct}/x"]}, "did you mean 'subject'?"),
        ({"expects": ["sub-{participant}/x"]}, "unknown placeholder 'participant'"),
        ({"expects": ["[[NIPOPPY_BIDS_PARTICIPANT]]"]}, "'NIPOPPY_BIDS_PARTICIPANT_ID'?"),
        ({"crash_files": ["/tmp/crash"]}, "container.crash_files.0 is '/tmp/crash'"),
        ({"leave_out": ["../x"]}, "container.leave_out.0"),
        ({"evidence": ["x{"]}, "container.evidence.0"),
        ({"expects": "fmripep"}, "did you mean 'fmriprep'?"),
        ({"expects": "none.yaml"}, "cannot be read: No such file"),
        ({"expects": "some/folder"}, "cannot be read"),
        ({"expects": [{"pattern": "a", "min": 0}]}, "expected: at least 1"),
        ({"expects": [{"min": 1}]}, "pattern is missing"),
        ({"expects": [{"pattern": "a", "for_ech": {}}]}, "did you mean 'for_each'?"),
        ({"expects": [{"pattern": "a", "for_each": {"sufix": "b"}}]}, "did you mean 'suffix'?"),
        ({"expects": [{"pattern": "a", "for_each": {"task": 1}}]}, "put labels in quotes"),
        (
            {"expects": [{"pattern": "a", "for_each": {"suffix": "b"}, "drop": ["eco"]}]},
            "did you mean 'echo'?",
        ),
        ({"expects": [{"pattern": "a", "drop": ["echo"]}]}, "means nothing without for_each"),
        ({"expects": 5}, "container.expects is 5; expected: a value of type string or array"),
        ({"on_incomplete": "keep"}, "one of hold, accept, retry"),
        ({"subjects": {"accept": ["sub-0 1"]}}, "subjects.accept.0"),
        ({"subjects": {"accept": [1]}}, "put labels in quotes"),
    ],
)
def test_a_fault_is_one_error_message_that_says_what_to_type(keys, words, tmp_path):
    found = faults(tmp_path, **keys)
    assert 1 == len(found)
    assert words in found[0]
    assert "Hint: " in found[0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.json", '{"PATHS": ["a"', "cannot be read"),
        ("t.json", '{"PATHS": []}', "lists no files"),
        ("t.json", '{"INVALID": ["a"]}', "lists no files"),
        ("t.json", '{"PATHS": ["[[NIPOPPY_DPATH_ROOT]]/a"]}', "placeholder 'NIPOPPY_DPATH_ROOT'"),
        ("t.json", '{"PATHS": [5]}', "files.0: it is 5; expected"),
        ("t.yaml", "a: [1,", "cannot be read"),
        ("t.yaml", "", "lists no files"),
        ("t.yaml", "files: a", "lists no files"),
        ("t.yaml", "- {pattern: a, mim: 2}", "did you mean 'min'?"),
        ("t.yaml", "files: [a]\ncrash_files: [/x]", "crash_files.0 is '/x'"),
        ("t.yaml", "- /x", "files.0 is '/x'"),
        ("t.yaml", b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_fault_in_a_file_names_it(name, text, words, tmp_path):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (fault,) = faults(tmp_path, expects=name)
    assert str(tmp_path / name) in fault
    assert words in fault


def test_every_fault_in_one_pass(tmp_path):
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(["/a", "sub-1/b", {"pattern": ""}]))
    assert 5 == len(faults(tmp_path, expects="own.yaml", crash_files=["/c"], runtime="x"))


def test_entities_are_those_of_pybids():
    """Written down so that no start has to load pybids."""
    known = load_entities()
    assert sorted(known) == sorted(ENTITIES)
    assert sorted(n for n, p in known.items() if NUMBERS.search(p)) == sorted(NUMBERED)


def test_what_complete_means_computes_nothing_again():
    """Neither a result's fingerprint nor the study dataset depends on it."""
    keys = {
        "expects": "fmriprep",
        "crash_files": ["*.err"],
        "on_incomplete": "hold",
        "leave_out": ["*.tmp"],
        "evidence": ["*.html"],
    }
    plain, changed = read_study(config()), read_study(config(subjects={"accept": ["01"]}, **keys))
    unit = Unit("sub-01", "01", None, "tree", "inherited", 1, 1)
    assert plain.container != changed.container
    assert made_from(plain, "key") == made_from(changed, "key")
    before, after = (Fingerprints(s, "key").of(unit) for s in (plain, changed))
    assert before == after
    assert preparation(plain, "c", "key", {}) == preparation(changed, "c", "key", {})
