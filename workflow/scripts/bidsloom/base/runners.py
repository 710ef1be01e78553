"""Start programs: git, git-annex, DataLad.

The only module that imports `subprocess`, and the only one that imports
DataLad.  Arguments are lists, the working directory is explicit, no shell is
involved, and messages are in the C locale because some are parsed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from .errors import CommandError

# A job may be started by absolute path, without its environment activated;
# git finds `git-annex` through PATH.  The link is not resolved: it is in the
# environment's folder, the interpreter that it points to is not.
TOOL_DIR = str(Path(sys.executable).parent)
# Types of a program's standard input.
Stdin = str | bytes | None
# No prompt may ever hang a job; background `git gc` would race with the clean-up
# of a clone, and pruning during pushes corrupts a store.
GIT_SETTINGS = {
    "gc.auto": "0",
    "maintenance.auto": "false",
    "init.defaultBranch": "main",
    "advice.detachedHead": "false",
}
# For commands that make a repository which no location log may mention; set
# before git-annex initialises it.
PRIVATE = {"GIT_CONFIG_PARAMETERS": "'annex.private'='true'"}


@dataclass(frozen=True)
class Step:
    """One command of a job; `name` says which part of the job it belongs to."""

    name: str
    argv: list[str]
    cwd: Path

    def __str__(self) -> str:
        return f"(cd {shlex.quote(str(self.cwd))} && {shlex.join(self.argv)})"


def set_up_environment(extra: Mapping[str, str] | None = None) -> None:
    """Prepare this process' environment for git, git-annex and DataLad.

    Called once by every entry point.  `extra` (the study's
    `hpc.environment`) is set as well, so that the app sees it.
    """
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if TOOL_DIR not in path:
        os.environ["PATH"] = os.pathsep.join([TOOL_DIR, *path])
    os.environ["LC_ALL"] = "C.UTF-8"
    os.environ["GIT_TERMINAL_PROMPT"] = "0"
    os.environ["DATALAD_UI_PROGRESSBAR"] = "none"
    os.environ["DATALAD_LOG_LEVEL"] = "error"
    os.environ.update(extra or {})
    # A git hook, or a git that started this process, may have set these; then
    # every git call below would work on another repository.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        os.environ.pop(name, None)
    count = int(os.environ.get("GIT_CONFIG_COUNT", 0))
    known = {os.environ.get(f"GIT_CONFIG_KEY_{n}") for n in range(count)}
    for key, value in GIT_SETTINGS.items():
        if key not in known:
            os.environ[f"GIT_CONFIG_KEY_{count}"] = key
            os.environ[f"GIT_CONFIG_VALUE_{count}"] = value
            count += 1
    os.environ["GIT_CONFIG_COUNT"] = str(count)


def call(
    cmd: list[str],
    *,
    cwd: Path,
    stdin: Stdin = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> bytes:
    """Run a program and return its standard output.

    Raises `CommandError` where its exit code is not 0, or it takes more than
    `timeout` seconds.
    """
    try:
        done = subprocess.run(
            cmd,
            cwd=cwd,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={**os.environ, **env} if env else None,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as e:
        raise CommandError(cmd, str(cwd), -1, f"no answer within {timeout} s") from e
    if done.returncode:
        stderr = done.stderr.decode(errors="replace")
        # git-annex prints some of its errors on standard output.
        said = stderr if stderr.strip() else done.stdout.decode(errors="replace")[-2000:]
        raise CommandError(cmd, str(cwd), done.returncode, said)
    return done.stdout


def call_git(
    args: list[str],
    *,
    cwd: Path,
    stdin: Stdin = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Output of a git command, without the final newline.  Raises `CommandError`."""
    return call(["git", *args], cwd=cwd, stdin=stdin, env=env).decode().rstrip("\n")


def call_git_lines(args: list[str], *, cwd: Path, stdin: Stdin = None) -> list[str]:
    """Lines that a git command prints.  Raises `CommandError`."""
    return call_git(args, cwd=cwd, stdin=stdin).splitlines()


def call_git_records(args: list[str], *, cwd: Path) -> list[str]:
    """NUL-separated records that a git command prints (`-z`).  Raises `CommandError`."""
    # Paths in a dataset may contain bytes that are not UTF-8.
    out = call(["git", *args], cwd=cwd).decode(errors="surrogateescape")
    return out.rstrip("\0").split("\0") if out else []


def call_git_success(args: list[str], *, cwd: Path) -> bool:
    """True where a git command ends with exit code 0; never raises `CommandError`."""
    try:
        call(["git", *args], cwd=cwd)
    except CommandError:
        return False
    return True


def call_annex(args: list[str], *, cwd: Path, stdin: Stdin = None) -> str:
    """Output of a git-annex command, without the final newline.  Raises `CommandError`."""
    return call(["git", "annex", *args], cwd=cwd, stdin=stdin).decode().rstrip("\n")


def call_datalad(args: list[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Output of a DataLad command, run in a process of its own.  Raises `CommandError`."""
    return call(["datalad", *args], cwd=cwd, env=env).decode()


def read_objects(names: Iterable[str], *, repository: Path) -> Iterator[bytes]:
    """Contents of git objects, in the order of their names, read by one process.

    Raises `CommandError` where an object is missing.
    """
    names = list(names)
    if not names:
        return
    out = call(["git", "cat-file", "--batch"], cwd=repository, stdin="\n".join(names) + "\n")
    at = 0
    for name in names:
        end = out.index(b"\n", at)
        header = out[at:end].split()
        if header[-1] == b"missing":
            raise CommandError(["git", "cat-file", name], str(repository), 1, "missing object")
        size = int(header[2])
        yield out[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def run_in_container(
    *,
    dataset: Path,
    container: str,
    command: list[str],
    outputs: list[str],
    message: str,
) -> None:
    """`datalad containers-run --explicit` in this process.

    In this process because starting DataLad costs more than all the git calls
    of a job, and because its results separate the app's exit code from
    DataLad's own failures; the exit code of the command line does not.
    No inputs are declared: the job has fetched them already, and DataLad
    would check each of them again.

    Raises
    ------
    CommandError
        With the app's own exit code where the app failed, or with -1 where
        DataLad could not start it or not save its results.

    """
    containers_run = import_containers_run()
    with contextlib.chdir(dataset):
        results = list(
            containers_run(
                command,
                container_name=container,
                dataset=str(dataset),
                outputs=outputs,
                message=message,
                explicit=True,
                on_failure="ignore",
                result_renderer="disabled",
                return_type="generator",
            )
        )
    for result in results:
        if result["status"] not in ("ok", "notneeded"):
            code = result.get("exit_code")
            why = result.get("message") or result.get("error_message") or result["status"]
            if isinstance(why, tuple):
                why = why[0] % why[1:]
            raise CommandError(command, str(dataset), -1 if code is None else code, str(why))


def import_containers_run() -> Callable[..., Iterator[dict]]:
    """DataLad's containers-run.

    Its package needs one function of `datalad.coreapi`, a module that imports
    all of DataLad, boto3 included: 0.3 s of each job.  We pass in a stub module
    that holds only that function.
    """
    from datalad.local.subdatasets import Subdatasets

    name = "datalad.coreapi"
    if name not in sys.modules:
        stub = types.ModuleType(name)
        vars(stub)["subdatasets"] = Subdatasets.__call__
        sys.modules[name] = stub
        try:
            from datalad_container.containers_run import ContainersRun
        finally:
            del sys.modules[name]
    else:
        from datalad_container.containers_run import ContainersRun
    return ContainersRun()


def node_name() -> str:
    """Name of this node: the one that SLURM uses, else the host name."""
    return os.environ.get("SLURMD_NODENAME", socket.gethostname())


def scheduler_job_id() -> str | None:
    """SLURM's id of this process' job, `<array>_<task>` for a task of an array, or None."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}") for name in ("JOB_ID", "TASK_ID"))
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def describe_scheduler_job(log: str = "") -> str:
    """The SLURM job of this process, with its node and its log; empty outside a job.

    SLURM is asked for the log where the caller does not know it.
    """
    job = scheduler_job_id()
    if job is None:
        return ""
    if not log:
        try:
            shown = call(["scontrol", "show", "job", job], cwd=Path("/")).decode()
        except (CommandError, OSError):
            shown = ""
        found = re.search(r"StdOut=(.*)", shown)
        log = found[1] if found else ""
    return f"SLURM job {job} on {node_name()}" + (f"; SLURM's own log: {log}" if log else "")


def end_children() -> None:
    """End every program that this process started, the app included."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(children, timeout=5)
    for child in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(alive, timeout=5)


def end_processes_in(path: Path) -> None:
    """Kill programs whose working directory is in a folder; its job has ended."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(path):
                process.kill()
