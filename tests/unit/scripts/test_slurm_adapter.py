"""What the adapter relies on in Snakemake's SLURM plugin: fails when a new version moves it."""

import inspect
import re
import types
from importlib.metadata import version

import pytest
import slurm_adapter
from slurm_adapter import (
    PACKAGE,
    RELIED_UPON,
    TESTED,
    SlurmAdapter,
    adapt_slurm,
    find_moved,
    plugin,
)
from snakemake_interface_executor_plugins.executors.base import AbstractExecutor
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry


def names_in(function) -> set[str]:
    """Globals, attributes and methods that a function uses."""
    code = inspect.unwrap(function).__code__
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return {*code.co_names, *(name for each in inner for name in each.co_names)}


def test_installed_plugin_is_one_that_was_tested():
    """The pinned version is in the list, and nothing of what is used has moved."""
    assert version(PACKAGE) == TESTED[-1]
    assert [] == find_moved(plugin, version(PACKAGE))


def test_what_is_overridden_is_called():
    """Each method that the adapter replaces is one that the plugin or its base class has."""
    own = {
        name
        for name, part in vars(SlurmAdapter).items()
        if inspect.isfunction(part) and hasattr(plugin.Executor, name)
    }
    assert own <= {name.removeprefix("Executor.") for name in RELIED_UPON}
    assert {"check_active_jobs", "sleep", "wait", "active_jobs", "lock"} <= names_in(
        RemoteExecutor._wait_for_jobs
    )
    assert {"wait", "wait_thread"} <= names_in(RemoteExecutor.shutdown)
    assert "cancel_jobs" in names_in(RemoteExecutor.cancel)
    assert {"query_job_status", "get_min_job_age", "query_job_status_squeue"} <= names_in(
        plugin.Executor.check_active_jobs
    )
    assert {"report_job_success", "report_job_error"} <= names_in(plugin.Executor.check_active_jobs)
    assert {"format_job_exec", "get_account_arg", "get_submit_command"} <= names_in(
        plugin.Executor.run_job
    )
    assert {"_submit_job", "is_group"} <= names_in(plugin.Executor.run_jobs)


def test_what_is_used_of_an_executor_is_there():
    """Attributes that the plugin sets by itself."""
    used = {
        "run_uuid": plugin.Executor.__post_init__,
        "_failed_nodes": plugin.Executor.__post_init__,
        "_job_submission_executor": plugin.Executor.__post_init__,
        "max_array_size": plugin.Executor.__post_init__,
        "slurm_logdir": plugin.Executor.__post_init__,
        "next_seconds_between_status_checks": plugin.Executor.check_active_jobs,
    }
    assert [] == [name for name, function in used.items() if name not in names_in(function)]
    settings = plugin.ExecutorSettings.__dataclass_fields__
    assert {
        "init_seconds_before_status_checks",
        "jobname_prefix",
        "keep_successful_logs",
        "pass_command_as_script",
    } <= settings.keys()


def test_adapter_takes_no_name_of_the_plugin():
    """An attribute of both would be overwritten."""
    assigned = re.compile(r"self\.(\w+)(?:: [^=]+)? = ")
    theirs = {
        name
        for source in (plugin.Executor, RemoteExecutor, RealExecutor, AbstractExecutor)
        for name in assigned.findall(inspect.getsource(source))
    }
    own = set(assigned.findall(inspect.getsource(SlurmAdapter)))
    assert {"next_seconds_between_status_checks"} == own & (theirs | set(dir(plugin.Executor)))


def test_sbatch_call_of_an_array_job():
    """The plugin makes the options of a call; the adapter adds the tasks and the script."""
    resources = types.SimpleNamespace(mem_mb=900, runtime=5, slurm_extra="--nice=1")
    resources.get = lambda name, default=None: vars(resources).get(name, default)
    job = types.SimpleNamespace(resources=resources, threads=2)
    asked = {
        "run_uuid": "a",
        "slurm_logfile": "b/%A_%a.log",
        "comment_str": "c d",
        "account": "-A l",
    }
    call = plugin.get_submit_command(job, {**asked, "partition": "-p p", "workdir": "w w"})
    for words in (
        "sbatch --parsable --job-name a",
        "--output b/%A_%a.log",
        "--comment 'c d'",
        "-A l -p p",
        "-t 5",
        "--mem 900",
        "--cpus-per-task=2",
        "--nice=1",
        "-D 'w w'",
    ):
        assert words in call


def test_question_to_squeue_can_be_asked_for_each_task():
    """`-r` is added to its end."""
    assert plugin.query_job_status_squeue("run").startswith("squeue ")
    assert plugin.query_job_status_squeue("run").endswith("--name run")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda fake: None, []),
        (lambda fake: delattr(fake, "query_job_status"), ["query_job_status is missing"]),
        (lambda fake: delattr(fake.Executor, "sleep"), ["Executor.sleep is missing"]),
        (
            lambda fake: setattr(fake.Executor, "run_jobs", lambda self, several: None),
            ["Executor.run_jobs has no parameter jobs"],
        ),
    ],
)
def test_moved_part_is_found(change, said):
    """A plugin that lacks one part, or whose parameter has another name."""
    fake = types.SimpleNamespace(
        **{name: getattr(plugin, name) for name in RELIED_UPON if "." not in name},
        Executor=type("Executor", (), {}),
    )
    for name in RELIED_UPON:
        if name.startswith("Executor."):
            part = name.removeprefix("Executor.")
            setattr(fake.Executor, part, getattr(plugin.Executor, part))
    change(fake)
    assert said == find_moved(fake, TESTED[-1])


def test_untested_version_runs_in_the_plain_way(monkeypatch, capsys):
    """A warning that says what to install, and the plugin's own executor."""
    registered = ExecutorPluginRegistry().get_plugin("slurm")
    monkeypatch.setattr(registered, "executor", plugin.Executor)
    monkeypatch.setattr(slurm_adapter, "version", lambda name: "9.9")
    adapt_slurm(None, {}, here=False)
    assert registered.executor is plugin.Executor
    said = capsys.readouterr().err
    assert "WARNING" in said and f"pip install {PACKAGE}=={TESTED[-1]}" in said
    adapt_slurm(None, {}, here=True)
    assert "" == capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(registered, "executor", plugin.Executor)
    adapt_slurm(None, {}, here=False)
    assert issubclass(registered.executor, SlurmAdapter)
    assert "" == capsys.readouterr().err
