"""The program that a SLURM job runs on its node."""

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.base.files import write_json
from bidsloom.commands.run_job import wait_for_files
from bidsloom.records.job_ends import JobEnd, take_ends
from bidsloom.scheduling.node_call import CallSetting, NodeCall
from helpers.studies import REPOSITORY, run


def call_of(unit: str) -> NodeCall:
    return NodeCall("unit", unit, f"logs/{unit}.log", attempt=2, needs=("prepared.json",))


def run_job(setting: CallSetting, *args: str, **variables: str):
    """Run the command in a folder that is not the study's, as sbatch does."""
    script = f"exec python {setting.command()} {' '.join(args)}"
    return run("sh", "-c", script, cwd=REPOSITORY, env=variables, check=False)


@pytest.fixture
def setting(tmp_path):
    return CallSetting(tmp_path, tmp_path / "job_config.yaml", tmp_path / "ended" / "run")


def test_job_says_how_it_ended(setting, tmp_path):
    """Without a file that it needs it fails, with a message in its log and in SLURM's."""
    done = run_job(setting, *call_of("sub-01").arguments(), SLURM_JOB_ID="7", SLURMD_NODENAME="n1")
    assert 1 == done.returncode
    assert {"7": JobEnd("sub-01", 2, 1)} == dict(take_ends(setting.ended))
    for said in (done.stderr, (tmp_path / "logs" / "sub-01.log").read_text()):
        assert "prepared.json is not there on node n1" in said


def test_task_of_an_array_takes_its_own_call(setting, tmp_path):
    """Tasks are counted from one."""
    array = tmp_path / "arrays" / "ab.json"
    write_json(array, [call_of(f"sub-0{n}").arguments() for n in (1, 2, 3)])
    task = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2", "SLURM_JOB_ID": "9"}
    run_job(setting, f"--array={array}", **task)
    assert {"7_2": JobEnd("sub-02", 2, 1)} == dict(take_ends(setting.ended))
    assert ["sub-02.log"] == [path.name for path in (tmp_path / "logs").iterdir()]


def test_file_of_another_node_may_come_late(tmp_path):
    """It is waited for; one that never comes is a fault of the node."""
    (tmp_path / "there").touch()
    wait_for_files([str(tmp_path / "there")], 0)
    with pytest.raises(WorkflowFailure) as e:
        wait_for_files([str(tmp_path / "nowhere")], 0.3)
    assert "node_failure" == e.value.failure_class
