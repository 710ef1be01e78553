"""What every benchmark shares: measuring a process, medians, targets, tables.

CPU seconds are user and system time of a process and of all its children, as
the kernel tells when it ends (`wait4`).  They hardly depend on what else the
machine does, which wall time would.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = REPOSITORY / "workflow" / "scripts"
PYTHON = sys.executable

GIT_CONFIG = """\
[user]
    name = Bench
    email = bench@example.org
[protocol "file"]
    allow = always
"""


@dataclass(frozen=True)
class Usage:
    """What a process and its children took.

    `peak_mb` is the memory of the largest of them, `written_mb` what all of
    them handed to the disks' cache.
    """

    cpu: float
    wall: float
    peak_mb: float
    written_mb: float = 0.0


@dataclass(frozen=True)
class Table:
    """A table of the results, with what has to be known to read it."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: str = ""

    def text(self) -> str:
        """The table in Markdown."""
        lines = [f"### {self.title}", ""]
        lines += [table_row(self.columns), table_row(["---"] * len(self.columns))]
        lines += [table_row(row) for row in self.rows]
        return "\n".join([*lines, "", self.notes]).rstrip() + "\n"


@dataclass
class Case:
    """One contestant: its command for the n-th repetition, and what it took."""

    command: Callable[[int], Sequence[str | Path]]
    cwd: Path
    usages: list[Usage] = field(default_factory=list)

    def repeat(self, n: int) -> None:
        """Measure the n-th repetition."""
        self.usages.append(run_measured(self.command(n), cwd=self.cwd))

    @property
    def cpu(self) -> float:
        """Median of the CPU seconds."""
        return statistics.median(usage.cpu for usage in self.usages)

    @property
    def wall(self) -> float:
        """Median of the wall seconds."""
        return statistics.median(usage.wall for usage in self.usages)

    @property
    def peak_mb(self) -> float:
        """The largest process of all repetitions."""
        return max(usage.peak_mb for usage in self.usages)


def run_measured(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None
) -> Usage:
    """Run a command and tell what it took; raises with its last words where it fails."""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **(env or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            out.seek(0)
            said = out.read().decode(errors="replace")[-3000:]
            raise RuntimeError(f"{command} ended with {process.returncode}:\n{said}")
    return Usage(
        usage.ru_utime + usage.ru_stime,
        wall,
        usage.ru_maxrss / 1024,
        usage.ru_oublock * 512 / 1e6,
    )


def interleave(cases: Sequence[Case], repeats: int) -> None:
    """Measure every case in turn, so that whatever disturbs one disturbs all.

    A first round, for caches and compiled modules, does not count.
    """
    for n in range(repeats + 1):
        for case in cases:
            case.repeat(n)
    for case in cases:
        del case.usages[0]


def ratio_of(value: float, reference: float, at_most: float) -> list[str]:
    """Three cells: how many times the reference, the target, and whether it is met."""
    ratio = value / reference
    return [times(ratio), f"at most {times(at_most)}", "yes" if ratio <= at_most else "no"]


def times(ratio: float) -> str:
    """A ratio for people: `1.32 x`, and `1/20` for small ones."""
    if ratio < 0.5:
        return f"1/{1 / ratio:.1f}".removesuffix(".0")
    return f"{ratio:.2f} x"


def table_row(cells: Sequence) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def machine_facts() -> str:
    """The machine and the programs, in a sentence."""
    memory = psutil.virtual_memory().total / 2**30
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    git = program_version("git", "--version").split()[-1]
    annex = program_version("git", "annex", "version", "--raw").partition("-")[0]
    programs = [f"Python {platform.python_version()}", f"git {git}", f"git-annex {annex}"]
    names = ("snakemake", "snakemake-executor-plugin-slurm", "datalad", "datalad-container")
    programs += [f"{name} {version(name)}" for name in (*names, "pybids")]
    return f"{os.cpu_count()} CPUs, {memory:.0f} GiB, {system}; {', '.join(programs)}"


def program_version(*command: str) -> str:
    """What a program says of its version."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@contextlib.contextmanager
def scratch_space() -> Iterator[Path]:
    """A folder for one benchmark, with a home of its own; removed at the end.

    Below `$BENCH_DIR`, by default `/var/tmp`.
    """
    root = Path(
        tempfile.mkdtemp(prefix="bidsloom-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp"))
    )
    root.chmod(0o755)
    home = root / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(GIT_CONFIG)
    before = dict(os.environ)
    set_up_environment(home)
    try:
        yield root
    finally:
        os.environ.clear()
        os.environ.update(before)
        subprocess.run(["chmod", "-R", "u+w", root], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(root, ignore_errors=True)


def set_up_environment(home: Path) -> None:
    """Let nothing of the caller's own configuration into a measurement."""
    for name in [n for n in os.environ if n.startswith(("GIT_", "SNAKEMAKE_", "SLURM_"))]:
        del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["HOME"] = str(home)
    os.environ["PATH"] = os.pathsep.join([str(Path(PYTHON).parent), os.environ["PATH"]])
    os.environ["DATALAD_UI_PROGRESSBAR"] = "none"


def run_alone(tables: Callable[[Path, bool], list[Table]], description: str | None) -> None:
    """The command line of one benchmark: print its tables."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller, in a minute or so")
    arguments = parser.parse_args()
    with scratch_space() as root:
        for table in tables(root, arguments.quick):
            print(table.text())
