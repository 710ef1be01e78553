"""Runs of Snakemake, each in a process forked from one that has imported it.

The imports are most of what a run of a small study takes.  All else is as in a
process of its own: arguments, environment, folder, output and exit code.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path


class Forks:
    """The process that has imported Snakemake, as those see it who ask it for runs."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, shutil.which("snakemake")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.end)

    def end(self) -> None:
        """Have it end, as it does when nobody can ask it any more."""
        self.process.stdin.close()
        self.process.wait()

    def run(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess:
        """A run; after `timeout` seconds it is asked to end, and it fails."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            order = {
                "arguments": list(arguments),
                "cwd": str(cwd),
                "env": dict(env),
                "outputs": [str(out), str(err)],
            }
            print(json.dumps(order), file=self.process.stdin, flush=True)
            child = int(self.process.stdout.readline())
            clocks = [
                threading.Timer(timeout, os.kill, (child, signal.SIGTERM)),
                threading.Timer(timeout + 40, os.killpg, (child, signal.SIGKILL)),
            ]
            for clock in clocks:
                clock.start()
            try:
                code = int(self.process.stdout.readline())
            except BaseException:
                os.killpg(child, signal.SIGKILL)
                self.process.stdout.readline()
                raise
            finally:
                for clock in clocks:
                    clock.cancel()
            return subprocess.CompletedProcess(
                ["snakemake", *arguments], code, out.read_text(), err.read_text()
            )


@cache
def forks() -> Forks:
    """The one of this process."""
    return Forks()


def become(program: str, order: dict) -> None:
    """In the child: what the program's own process would do."""
    os.setsid()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    flags = os.O_WRONLY | os.O_CREAT
    for number, path in enumerate([os.devnull, *order["outputs"]]):
        os.dup2(os.open(path, flags if number else os.O_RDONLY), number)
    sys.argv = [program, *order["arguments"]]


def serve(program: str) -> None:
    """Start a run for each line, and answer with its number, then with its exit code."""
    from snakemake.cli import main

    sys.path[0] = str(Path(program).parent)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            become(program, json.loads(line))
            break
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    else:
        return
    main()


if __name__ == "__main__":
    serve(sys.argv[1])
