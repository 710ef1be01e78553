"""What a job on a node is called with."""

import shlex
import stat

import pytest
from bidsloom.config import read_config, read_study
from bidsloom.config.request import Request
from bidsloom.scheduling.node_call import (
    CallSetting,
    NodeCall,
    read_array,
    write_array,
    write_job_config,
)
from helpers.old_config import OLD

CALL = NodeCall(
    "unit",
    "sub-01",
    "results/a study/logs/sub-01.log",
    output="results/a study/jobs/sub-01.json",
    requested=Request(2, 900, None),
    attempt=3,
    needs=("results/a study/prepared.json",),
)


@pytest.mark.parametrize("call", [CALL, NodeCall("prove", "prove", "prove.log")])
def test_call_is_read_as_it_was_written(call):
    assert call == NodeCall.parse(call.arguments())


def test_paths_with_spaces_reach_the_node(tmp_path):
    setting = CallSetting(tmp_path / "my study", tmp_path / "a b.yaml", tmp_path / "c d", 60)
    words = shlex.split(setting.command(CALL))
    assert f"--directory={tmp_path / 'my study'}" in words
    assert "--needs=results/a study/prepared.json" in words


def test_tasks_of_an_array_have_their_calls(tmp_path):
    study = read_study(OLD, base=tmp_path)
    path = write_array(study, "abc", [CALL, NodeCall("unit", "sub-02", "l")])
    assert ["sub-01", "sub-02"] == [call.name for call in read_array(path)]
    assert [] == read_array(tmp_path / "gone.json")


def test_configuration_for_jobs_is_private(tmp_path):
    """It may hold a password; the jobs read the same configuration from it."""
    study = read_study(OLD, base=tmp_path)
    path = write_job_config(study, OLD)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert study == read_study(read_config(path), base=tmp_path)
