"""Time limits, waiting for what a test has set going, and ending it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

# Time limits in tests are what an idle machine needs at most, times this number.
# The default holds on a machine of which ten others want a share.
PATIENCE = float(os.environ.get("BIDSLOOM_TEST_PATIENCE", "4"))


def limit(seconds: float) -> float:
    """A time limit in seconds for this machine, from one for an idle machine."""
    return seconds * PATIENCE


def wait_for(
    condition: Callable[[], object], seconds: float = 60, what: str = "what was waited for"
) -> None:
    """Wait until a condition holds; `seconds` are those of an idle machine."""
    end = time.monotonic() + limit(seconds)
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {limit(seconds):.0f} s"
        time.sleep(0.05)


def exit_code(process: subprocess.Popen, seconds: float = 240) -> int:
    """Exit code of a process that ends by itself; killed with its group after a time limit."""
    try:
        return process.wait(timeout=limit(seconds))
    except subprocess.TimeoutExpired:
        kill(process)
        raise


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to a process and everything in its group, such as Snakemake and what it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
