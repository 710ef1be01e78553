"""`hpc.environment`, and the amounts and lengths that no job can have."""

import pytest
from bidsloom.base.errors import ConfigFailure
from bidsloom.config import read_study
from bidsloom.config.environment import is_for_app_alone
from helpers.old_config import OLD, changed


def faults(config) -> str:
    """All faults in one text; empty without one."""
    try:
        read_study(config)
    except ConfigFailure as e:
        return str(e)
    return ""


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "TMPDIR", "GIT_DIR", "GIT_CONFIG_COUNT", "LD_PRELOAD", "PYTHONPATH"]
    + ["DATALAD_LOG_LEVEL", "SLURM_JOB_ID", "LC_ALL", "BASH_ENV", "IFS"],
)
def test_what_would_break_a_job_is_for_the_app_alone(name):
    """Without a container nothing is for the app alone, so it is refused by name."""
    assert is_for_app_alone(name)
    bare = changed("container", runtime="none", call_fmt="python3 {img} {cmd}")
    assert f"hpc.environment sets {name}" in faults({**bare, "hpc": {"environment": {name: "x"}}})
    auto = changed("container", call_fmt="python3 {img} {cmd}")
    assert f"hpc.environment sets {name}" in faults({**auto, "hpc": {"environment": {name: "x"}}})


def test_apptainer_takes_path_but_not_home():
    """Apptainer lets nobody set the home of an app."""
    assert "" == faults(changed("hpc", environment={"PATH": "/opt/app/bin", "OMP_NUM_THREADS": 1}))
    assert "Apptainer sets itself" in faults(changed("hpc", environment={"HOME": "/x"}))
    docker = {**changed("container", runtime="docker"), "hpc": {"environment": {"HOME": "/x"}}}
    assert "" == faults(docker)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"A": "a\0b"}, "hpc.environment.A holds a null character"),
        ({"A-B": "x"}, "has the name 'A-B'"),
        ({"A\n": "x"}, "which holds a line break"),
        ({1: "x"}, "has the key 1, which is no text"),
        ({"A": float("nan")}, "hpc.environment.A is nan"),
        ({"A": "x" * 200_000}, "takes 200,002 bytes"),
        ({"A": ["secret"]}, "hpc.environment.A is not valid"),
    ],
)
def test_names_and_values_that_no_process_can_have(environment, words):
    """Named by key; values may be secrets, and are not shown."""
    said = faults(changed("hpc", environment=environment))
    assert words in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (changed("hpc", mem="0G"), "hpc.mem is '0G'"),
        (changed("hpc", mem="0.0M"), "hpc.mem is '0.0M'"),
        (changed("hpc", mem="32GiB\n"), "hpc.mem is '32GiB\\n'"),
        (changed("hpc", mem="9" * 400 + "T"), "hpc.mem is"),
        (changed("hpc", mem=10**400), "hpc.mem is"),
        (changed("hpc", time="00:00:00"), "hpc.time is '00:00:00'"),
        (changed("hpc", time="0min"), "hpc.time is '0min'"),
        (changed("hpc", time="99999999d"), "hpc.time is"),
        (changed("hpc", group={"mem": "0"}), "hpc.group.mem is '0'"),
        (changed("hpc", cpus=8.0), "hpc.cpus is 8.0"),
        (changed("hpc", retry={"memory_factor": float("nan")}), "hpc.retry.memory_factor is nan"),
        (changed("hpc", retry={"time_factor": float("inf")}), "hpc.retry.time_factor is inf"),
        (changed("hpc", retry={"time_factor": 1e300}), "hpc.retry.time_factor"),
        (changed("hpc", partition="a\n#SBATCH --wrap=x"), "hpc.partition"),
        (changed("hpc", account="$(touch x)"), "hpc.account"),
        (changed("hpc", qos="-x"), "hpc.qos"),
        (changed("hpc", modules=["a; touch x"]), "hpc.modules.0"),
        (changed("hpc", modules=["--help"]), "hpc.modules.0"),
        ({**OLD, "study": "x" * 5000}, "at most 100 characters"),
        ({**OLD, "study": "x\n"}, "study is 'x\\n'"),
        ({**OLD, "subjects": {"require": [{1: 2}]}}, "subjects.require.0 has the key 1"),
        ({**OLD, "subjects": {"include": ["01\n"]}}, "subjects.include.0"),
        (changed("container", bids_args={1: 2}), "container.bids_args has the key 1"),
        (changed("container", bids_args={"x": "y" * 200_000}), "a command line of 200,"),
        (changed("container", group_args={"x": ["y"] * 60_000}), "container.group_args makes"),
        (changed("container", bids_args={"analysis_level": "{x}"}), "analysis_level"),
        (changed("container", bids_args={"x\n": 1}), "container.bids_args"),
        (changed("container", name="a\n"), "container.name"),
        (changed("container", participant_flag="--a\n"), "container.participant_flag"),
        (
            changed("datalad", inputs=[{"repo": "a", "path": "sourcedata/b", "flag": "--a {x}"}]),
            "datalad.inputs.0.flag",
        ),
    ],
)
def test_values_that_no_job_can_have(config, words):
    """Each by its key, before anything is written."""
    said = faults(config)
    assert words in said
    assert "\nHint: " in said
