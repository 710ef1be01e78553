"""Commands of a study that run now: started from the page, or typed in a terminal.

A command from the page is a process of its own (`standalone/keep_run.py`); its
folder `results/<study>/actions/<id>/` holds what was started, what it printed
and how it ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from ..base.credentials import hide_credentials
from ..base.errors import WorkflowFailure
from ..base.files import read_json, write_json
from ..base.paths import STANDALONE
from ..base.runners import node_name, start_detached
from ..records.json_fields import known_fields

# At most so many commands are kept.
KEPT = 50
DEFAULT_CONFIG = Path("config", "config.yaml")


@dataclass(frozen=True)
class Run:
    """A command; `process` is its id on `host`, `born` when that process was made.

    `source` is `page` or `terminal`; `exit_code` is None while it runs, and
    where it was killed with the process that waited for it.
    """

    id: str
    action: str
    command: str
    source: str
    started: str
    by: str
    host: str
    process: int
    born: float
    output: str
    units: tuple[str, ...] = ()
    running: bool = True
    exit_code: int | None = None
    ended: str = ""

    def to_json(self) -> dict[str, Any]:
        """The run for programs."""
        told = asdict(self)
        del told["born"], told["output"]
        return told


class Runs:
    """The commands of one study, in the folder in which Snakemake runs."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.folder = folder
        self.config = config

    def active(self, actions: Path) -> Run | None:
        """The command that runs now, or None; what a terminal started counts."""
        for run in self.list(actions):
            if run.running:
                return run
        return self.find_typed()

    def list(self, actions: Path) -> list[Run]:
        """Commands from the page, the newest first."""
        names: list[str] = []
        with contextlib.suppress(OSError):
            names = sorted(p.name for p in actions.iterdir() if not p.name.startswith("."))
        return [run for name in reversed(names[-KEPT:]) if (run := read_run(actions / name))]

    def find(self, actions: Path, name: str) -> Run | None:
        """A command by its id."""
        if typed := self.find_typed() if name.startswith("terminal-") else None:
            return typed if typed.id == name else None
        return next((run for run in self.list(actions) if run.id == name), None)

    def start(
        self,
        actions: Path,
        action: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        units: Sequence[str] = (),
    ) -> Run:
        """Start a command, detached; refuses while another one runs."""
        actions.mkdir(parents=True, exist_ok=True)
        with (actions / ".lock").open("w") as lock:
            # Two viewers may click at once, and two pages may serve one study.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if other := self.active(actions):
                raise WorkflowFailure(
                    f"{other.action} runs already, since {other.started}: {other.command}",
                    hint="wait until it has ended, or stop it.",
                )
            now = datetime.now(UTC)
            folder = actions / now.strftime("%Y%m%d-%H%M%S-%f")
            folder.mkdir(mode=0o700)
            keep = [sys.executable, str(STANDALONE / "keep_run.py"), str(folder), *command]
            process = start_detached(keep, cwd=self.folder, env=env)
            run = Run(
                id=folder.name,
                action=action,
                command=hide_credentials(shlex.join(shortened(command))),
                source="page",
                started=now.isoformat(timespec="seconds"),
                by=getpass.getuser(),
                host=node_name(),
                process=process.pid,
                born=birth_of(process.pid),
                output=str(folder / "output.log"),
                units=tuple(units),
            )
            write_json(folder / "run.json", asdict(run))
        return run

    def find_typed(self) -> Run | None:
        """The Snakemake that a terminal of this account runs for the study on this machine."""
        found = {p.pid: p for p in own_processes() if self._is_of_study(p)}
        for process in found.values():
            with contextlib.suppress(psutil.Error, OSError):
                if process.ppid() in found:
                    continue
                # One that the page started stands in `list`.
                words = process.cmdline()
                logs = (f.path for f in process.open_files() if "/.snakemake/log/" in f.path)
                started = datetime.fromtimestamp(process.create_time(), UTC)
                return Run(
                    id=f"terminal-{process.pid}",
                    action="dry_run" if {"-n", "--dry-run", "--dryrun"} & set(words) else "start",
                    command=hide_credentials(shlex.join(shortened(words))),
                    source="terminal",
                    started=started.isoformat(timespec="seconds"),
                    by=process.username(),
                    host=node_name(),
                    process=process.pid,
                    born=process.create_time(),
                    output=next(logs, ""),
                )
        return None

    def _is_of_study(self, process: psutil.Process) -> bool:
        """True for a main process of Snakemake in this folder, with this config."""
        with contextlib.suppress(psutil.Error, OSError):
            words = process.cmdline()
            if not is_snakemake(words) or Path(process.cwd()) != self.folder.resolve():
                return False
            named = config_of(words)
            asked = (self.folder / (named or DEFAULT_CONFIG)).resolve()
            return asked == self.config.resolve()
        return False


def shortened(words: Sequence[str]) -> list[str]:
    """A command line as people type it: no interpreter, no module."""
    words = list(words)
    for n, word in enumerate(words[:4]):
        if word == "-m" and words[n + 1 : n + 2] == ["snakemake"]:
            return words[n + 1 :]
        if Path(word).name == "snakemake":
            return ["snakemake", *words[n + 1 :]]
    return words


def is_snakemake(words: Sequence[str]) -> bool:
    """True for the command line of a main process of Snakemake, not of a job's."""
    names = [Path(word).name for word in words[:4]]
    return "snakemake" in names and not any(word.startswith("--mode") for word in words)


def config_of(words: Sequence[str]) -> str | None:
    """The file that `--configfile` names last, or None."""
    named = None
    for n, word in enumerate(words):
        if word in ("--configfile", "--configfiles"):
            named = next(iter(words[n + 1 :]), None)
        elif word.startswith(("--configfile=", "--configfiles=")):
            named = word.partition("=")[2]
    return named


def own_processes() -> Iterator[psutil.Process]:
    """The processes of this account."""
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if os.stat(f"/proc/{pid}").st_uid == os.getuid():
                yield psutil.Process(pid)


def birth_of(pid: int) -> float:
    """When a process was made; ids are used again."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def is_alive(run: Run) -> bool:
    """True while the process of a run lives; one of another machine is taken for dead."""
    if run.host != node_name():
        return False
    try:
        process = psutil.Process(run.process)
        return process.create_time() == run.born and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def read_run(folder: Path) -> Run | None:
    """A command from the page, with how it ended where it has."""
    told = read_json(folder / "run.json")
    if not isinstance(told, Mapping):
        return None
    run = Run(**{**known_fields(Run, told), "units": tuple(told.get("units", ()))})
    end = read_json(folder / "ended.json")
    if isinstance(end, Mapping):
        return replace(run, running=False, exit_code=end.get("exit_code"), ended=end.get("at", ""))
    return replace(run, running=is_alive(run))


def stop(run: Run) -> None:
    """End a command as Ctrl-C does: the signal goes to it and to all that it started."""
    try:
        process = psutil.Process(run.process)
        if process.create_time() != run.born:
            return
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return
    for member in family:
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            member.send_signal(signal.SIGINT)


def read_output(run: Run, offset: int, limit: int) -> tuple[bytes, int]:
    """What a command has printed from an offset on, and how much there is in all."""
    with contextlib.suppress(OSError), open(run.output, "rb") as f:
        size = f.seek(0, os.SEEK_END)
        f.seek(max(0, min(offset, size)))
        return f.read(limit), size
    return b"", 0
