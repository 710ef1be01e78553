"""Commands that run: recognized, started once, stopped, and remembered."""

import os
import signal
import sys
from pathlib import Path

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config import read_study
from bidsloom.page.actions import Place, command_of
from bidsloom.page.runs import Runs, config_of, is_snakemake, read_output, shortened, stop
from helpers.old_config import OLD
from helpers.waiting import wait_for

SLEEP = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)"]


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("snakemake --cores 2", True),
        ("/x/python /x/bin/snakemake -n", True),
        ("/x/python -m snakemake --cores 2", True),
        ("/x/python -m snakemake --mode remote --cores 2", False),
        ("vim Snakefile", False),
        ("grep snakemake-log x", False),
    ],
)
def test_the_main_process_is_recognized(words, known):
    assert known == is_snakemake(words.split())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("snakemake -n", None),
        ("snakemake --configfile a.yaml -n", "a.yaml"),
        ("snakemake --configfile=a.yaml --configfiles b.yaml", "b.yaml"),
        ("snakemake --configfile", None),
    ],
)
def test_the_config_of_a_command(words, named):
    assert named == config_of(words.split())


def test_a_command_is_shown_as_people_type_it():
    words = [sys.executable, "-m", "snakemake", "--cores", "2"]
    assert (
        ["snakemake", "--cores", "2"] == shortened(words) == shortened(["/b/snakemake", *words[3:]])
    )


def test_one_runs_at_a_time_and_its_end_is_known(tmp_path):
    """It is stopped as by Ctrl-C; what it printed and how it ended stay."""
    runs, actions = Runs(tmp_path, tmp_path / "c.yaml"), tmp_path / "actions"
    first = runs.start(actions, "start", SLEEP, env=os.environ)
    wait_for(lambda: b"begun" in read_output(first, 0, 99)[0])
    assert first == runs.active(actions) == runs.find(actions, first.id)
    with pytest.raises(WorkflowFailure, match="start runs already"):
        runs.start(actions, "merge", SLEEP, env=os.environ)
    # Another page, or the same one later.
    assert Runs(tmp_path, tmp_path / "c.yaml").active(actions) == first
    stop(first)
    wait_for(lambda: not runs.find(actions, first.id).running)
    wait_for(lambda: runs.find(actions, first.id).exit_code is not None)
    assert -signal.SIGINT == runs.find(actions, first.id).exit_code
    second = runs.start(
        actions, "check", [sys.executable, "-c", "raise SystemExit(3)"], env=os.environ
    )
    wait_for(lambda: runs.find(actions, second.id).exit_code == 3)
    assert [second.id, first.id] == [run.id for run in runs.list(actions)]


def test_a_process_with_the_same_number_is_another_one(tmp_path):
    """Numbers of processes are used again."""
    runs, actions = Runs(tmp_path, tmp_path / "c.yaml"), tmp_path / "actions"
    run = runs.start(actions, "start", SLEEP, env=os.environ)
    path = actions / run.id / "run.json"
    path.write_text(path.read_text().replace(str(run.born), str(run.born - 50)))
    assert None is runs.active(actions)
    stop(runs.find(actions, run.id))
    assert Path(f"/proc/{run.process}").exists()
    stop(run)


def test_actions_are_what_people_type(tmp_path):
    """With the options that Snakemake needs to find its files, and no others."""
    study = read_study(OLD, base=tmp_path)
    known = {"folder": tmp_path, "config": tmp_path / "config" / "config.yaml"}

    def typed(action, place=Place(cores=3), **how):  # noqa: B008
        return " ".join(shortened(command_of(study, action, place=place, **{**known, **how})))

    assert "snakemake --snakefile /" in typed("start")
    assert f"--configfile {known['config']} --cores 3" in typed("start")
    (tmp_path / "Snakefile").touch()
    assert "snakemake --cores 3" == typed("start")
    assert "snakemake --cores 3 -n" == typed("dry_run")
    assert "snakemake --cores 1 merge" == typed("merge")
    assert typed("start", place=Place(cluster=True)).endswith("/profiles/slurm")
    (tmp_path / "slurm").mkdir()
    assert "snakemake --profile slurm check" == typed("check", place=Place(cluster=True))
    assert "snakemake --cores 1 report" == typed("report", place=Place(cluster=True))
    retried = typed("retry", units=["sub-1", "sub-2"])
    assert [
        f"{study.results.relative_to(tmp_path)}/jobs/sub-{n}.json" for n in (1, 2)
    ] == retried.split()[-2:]
    other = tmp_path / "other.yaml"
    assert f"snakemake --configfile {other} --cores 1 merge" == typed("merge", config=other)
    assert typed("accept", units=["sub-1"]).endswith(f"accept.py --config {known['config']} sub-1")
    with pytest.raises(WorkflowFailure, match="no units are named"):
        typed("retry")
