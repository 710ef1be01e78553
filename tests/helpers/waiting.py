"""Waiting for what a test has set going, and ending it."""

from __future__ import annotations

import os
import signal
import time


def kill(process) -> None:
    """SIGKILL to Snakemake and everything it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(condition, seconds=60):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
