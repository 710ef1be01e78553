"""Pure decisions: what is merged, what a record names, how the app is called."""

import pytest
from bidsloom.config import read_study
from bidsloom.datasets.branches import Branch, Entry, Result
from bidsloom.job.app_command import app_command, fill, output_folder, result_path
from bidsloom.job.group_job import GROUP_UNIT
from bidsloom.job.run_app import narrow
from bidsloom.job.unit_job import Job
from bidsloom.merge.weave import decide
from bidsloom.records.prepared import Prepared
from bidsloom.units.unit import Unit
from test_config import OLD

SHARED = ["out/*.json", "out/logs/*"]


def branch(unit: str, **files: str) -> Branch:
    """A result with files (`a_b` stands for out/a/b) and their blobs."""
    entries = {
        "out/" + name.replace("_", "/"): Entry("100644", blob) for name, blob in files.items()
    }
    return Branch(Result(unit, f"commit-of-{unit}", "f"), entries, frozenset())


def test_disjoint_branches_are_merged():
    weave = decide([branch("sub-1", a="x"), branch("sub-2", b="y")], held={}, shared=SHARED)
    assert [b.result.unit for b in weave.merged] == ["sub-1", "sub-2"]
    assert weave.left == {}


def test_identical_content_is_no_conflict():
    weave = decide([branch("sub-1", a="x"), branch("sub-2", a="x")], held={}, shared=[])
    assert weave.left == {}


def test_conflict_names_path_and_both_units():
    """Both newcomers stay out; a third is merged."""
    three = [branch("sub-1", a="x"), branch("sub-2", a="y"), branch("sub-3", b="z")]
    weave = decide(three, held={}, shared=[])
    assert [b.result.unit for b in weave.merged] == ["sub-3"]
    assert weave.left["sub-1"] == "conflict: out/a was also written by sub-2"
    assert weave.left["sub-2"] == "conflict: out/a was also written by sub-1"


def test_what_main_holds_wins_over_a_newcomer():
    weave = decide([branch("sub-2", a="y")], held={"sub-1": branch("sub-1", a="x")}, shared=[])
    assert weave.left["sub-2"] == "conflict: out/a was also written by sub-1"


@pytest.mark.parametrize("late", ["sub-1", "sub-2"])
def test_shared_file_does_not_depend_on_who_came_first(late):
    """Whichever unit is merged later, the first unit's content stands."""
    both = {"sub-1": branch("sub-1", logs_c="one"), "sub-2": branch("sub-2", logs_c="two")}
    held = {unit: b for unit, b in both.items() if unit != late}
    weave = decide([both[late]], held=held, shared=SHARED)
    assert [{"out/logs/c": Entry("100644", "one")}] == weave.written


def test_new_result_replaces_the_old_one_whole():
    """Files that only the old result had are removed, unless somebody else has them too."""
    held = {"sub-1": branch("sub-1", a="x", gone="x", both="x"), "sub-2": branch("sub-2", both="x")}
    weave = decide([branch("sub-1", a="new")], held=held, shared=[])
    stays = Entry("100644", "x")
    new = {"out/gone": None, "out/a": Entry("100644", "new"), "out/both": stays}
    assert [new] == weave.written


def unit(name: str) -> Unit:
    subject, _, session = name.removeprefix("sub-").partition("_ses-")
    return Unit(name, subject, session or None, "tree", "inherited", 1, 1)


def test_narrow_names_what_belongs_to_the_unit():
    """Folders of the unit stand for their files; a longer label is another unit."""
    paths = [
        "out/sub-1/a",
        "out/sub-1/b/c",
        "out/sub-1.html",
        "out/x.json",
        "out/fs/sub-1/m",
        "out/sub-11/a",
    ]
    wanted = ["out/fs/sub-1", "out/sub-1", "out/sub-1.html", "out/sub-11/a", "out/x.json"]
    assert wanted == narrow(paths, unit("sub-1"))


def test_narrow_keeps_sessions_apart():
    paths = ["out/sub-1/ses-a/x", "out/sub-1/ses-a/y", "out/sub-1/anat/z", "ses-a/sub-1/anat/z"]
    wanted = ["out/sub-1/anat/z", "out/sub-1/ses-a", "ses-a/sub-1"]
    assert narrow(paths, unit("sub-1_ses-a")) == wanted


@pytest.mark.parametrize(
    ("name", "keys", "folder", "result"),
    [
        ("sub-1", {}, "out", "out/sub-1"),
        ("sub-1_ses-a", {}, "out/ses-a", "out/ses-a/sub-1"),
        ("sub-1_ses-a", {"session_folders": False}, "out", "out/sub-1/ses-a"),
        ("sub-1_ses-a", {"archive": True}, "out/sub-1_ses-a", "out/sub-1_ses-a.zip"),
    ],
)
def test_where_a_unit_writes(name, keys, folder, result):
    """Sessions of one subject never share an output folder, unless they are told to."""
    config = {**OLD, "container": {**OLD["container"], "outputs": ["out"], **keys}}
    container = read_study(config).container
    assert folder == output_folder(container, unit(name), "out")
    assert result == result_path(container, unit(name))


def test_group_level_gets_the_flags_of_units_or_its_own():
    """Without labels; `analysis_level` is no flag of either."""
    container = {**OLD["container"], "group_level": True, "bids_args": {"n": 8}}
    commands = []
    for further in ({}, {"group_args": {"m": 1}}):
        study = read_study({**OLD, "container": {**container, **further}})
        commands.append(app_command(Job(study, GROUP_UNIT, Prepared())))
    place = ["sourcedata/raw", "fmriprep", "group"]
    assert [[*place, "--n", "8"], [*place, "--m", "1"]] == commands


def test_command_doubles_braces():
    """DataLad formats the command; what the user wrote reaches the app."""
    config = {**OLD, "container": {**OLD["container"], "bids_args": {"filter": '{"a": 1}'}}}
    job = Job(read_study(config), unit("sub-1_ses-2"), Prepared())
    command = app_command(job)
    assert command[3:] == [
        "--participant-label",
        "1",
        "--session-label",
        "2",
        "--filter",
        '{{"a": 1}}',
    ]


def test_placeholders_are_filled():
    """What a job was granted, else what the study asks for; other braces stay the user's."""
    arguments = {"n": "{threads}", "mem": "{mem_gb}G", "w": "{work_dir}/{sub}", "x": "{threads}"}
    values = {"threads": "4", "mem_gb": "2", "work_dir": "{tmpdir}"}
    filled = [fill(word, values) for word in arguments.values()]
    assert filled == ["4", "2G", "{tmpdir}/{{sub}}", "4"]
