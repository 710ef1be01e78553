"""How the app is called, and where a unit writes."""

import pytest
from bidsloom.config import read_study
from bidsloom.job.app_command import app_command, fill, output_folder, result_path
from bidsloom.job.group_job import GROUP_UNIT
from bidsloom.job.unit_job import Job
from bidsloom.records.prepared import Prepared
from helpers.old_config import OLD
from helpers.units import unit


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
