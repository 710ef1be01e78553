"""Start programs: git, git-annex, DataLad.

The only module that imports `subprocess`.  Arguments are lists, the working
directory is explicit, no shell is involved, and messages are in the C locale
because some are parsed.
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
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from .errors import CommandError, WorkflowFailure
from .git_settings import compose_settings, isolate, parse_settings, set_up_connections
from .paths import STANDALONE

# Read when this module is imported: Snakemake's process later has `sys.executable`
# quoted for a shell.
PYTHON = sys.executable
# A job may be started by absolute path, without its environment activated;
# git finds `git-annex` through PATH.  The link is not resolved: it is in the
# environment's folder, the interpreter that it points to is not.
TOOL_DIR = str(Path(PYTHON).parent)
# Types of a program's standard input.
Stdin = str | bytes | None
# Older ones do not read settings from the environment (GIT_CONFIG_COUNT).
OLDEST_GIT = (2, 31)
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
    os.environ.update(extra or {})
    isolate(os.environ, [*compose_settings(read_settings()), *netrc_settings()])
    os.environ["DATALAD_UI_PROGRESSBAR"] = "none"
    set_up_connections(os.environ)
    os.environ["DATALAD_LOG_LEVEL"] = "error"


def read_settings() -> list[tuple[str, str]]:
    """The account's git settings: the machine's, the user's, and those in the environment.

    Variables that name an outer repository are removed from the environment.
    Raises `WorkflowFailure` where git cannot read them, or is too old.
    """
    # These would let git look elsewhere, or fail.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_CONFIG"):
        os.environ.pop(name, None)
    try:
        refuse_old_git()
        listed = call(["git", "config", "--list", "--show-scope", "--null"], cwd=Path("/"))
    except OSError:
        return []  # without git; a check says so
    except CommandError as e:
        raise WorkflowFailure(
            f"git cannot read your settings: {e.stderr.strip()}",
            hint="correct the file that git names, or the GIT_CONFIG_* variables.",
        ) from e
    return list(parse_settings(listed.decode(errors="surrogateescape")))


def netrc_settings() -> list[tuple[str, str]]:
    """The credential helper that lets git-annex use `~/.netrc` too; none without that file."""
    try:
        there = (Path.home() / ".netrc").exists()
    except (OSError, RuntimeError):
        return []
    helper = shlex.join([PYTHON, "-I", str(STANDALONE / "netrc_credential.py")])
    return [("credential.helper", f"!{helper}")] if there else []


def git_version() -> str:
    """The version of git on PATH, such as `2.43.0`."""
    return call_git(["version"], cwd=Path("/")).split()[2]


def refuse_old_git() -> None:
    """Refuse a git that would ignore the settings which we hand to it."""
    version = git_version()
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST_GIT:
        raise WorkflowFailure(
            f"git {version} is too old; 2.31 or newer is needed.",
            hint="load a newer one (module load git), or install it.",
        )


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
    refuse_failed(cmd, cwd, done.returncode, done.stdout, done.stderr)
    return done.stdout


def start_detached(
    cmd: list[str], *, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.Popen:
    """Start a program in a session of its own, which lives on when this process ends.

    It prints to nobody: a program that should be heard writes a file.
    """
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(
        cmd, cwd=cwd, env=env, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
    )


def call_large(cmd: list[str], *, cwd: Path, stdin: str) -> bytes:
    """As `call`, where much goes in or comes out.

    By way of files: git writes each object to a pipe by itself, and reading
    millions of small pieces takes longer than what is done with them.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
        given.write(stdin.encode())
        given.seek(0)
        done = subprocess.run(
            cmd, cwd=cwd, stdin=given, stdout=out, stderr=subprocess.PIPE, check=False
        )
        out.seek(0)
        stdout = out.read()
    refuse_failed(cmd, cwd, done.returncode, stdout, done.stderr)
    return stdout


def refuse_failed(cmd: list[str], cwd: Path, code: int, stdout: bytes, stderr: bytes) -> None:
    """Raise a `CommandError` where a program's exit code is not 0."""
    if code:
        told, printed = stderr.decode(errors="replace"), stdout.decode(errors="replace")
        # git-annex prints some of its errors on standard output.
        said = told if told.strip() else printed[-2000:]
        raise CommandError(cmd, str(cwd), code, said, printed)


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
    stdin = "".join(f"{name}\n" for name in names)
    out = call_large(["git", "cat-file", "--batch", "--buffer"], cwd=repository, stdin=stdin)
    at = 0
    for name in names:
        end = out.index(b"\n", at)
        header = out[at:end].split()
        if header[-1] == b"missing":
            raise CommandError(["git", "cat-file", name], str(repository), 1, "missing object")
        size = int(header[2])
        yield out[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


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
