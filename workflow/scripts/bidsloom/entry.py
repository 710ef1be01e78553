"""What every entry point does first and last: environment, log, letters."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from .config import ConfigFailure
from .errors import WorkflowFailure, letter
from .runners import set_up_environment


@contextlib.contextmanager
def entry_point(log_file: str | Path | None = None) -> Iterator[None]:
    """Run a script's work with its log, and end it with a letter where it fails.

    Everything that this process and its children print goes to `log_file`;
    the letter goes there and to the terminal.  SIGTERM ends the work like
    Ctrl-C does, so that clean-up runs.
    """
    set_up_environment()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    terminal = os.dup(2)
    if log_file is not None:
        Path(log_file).parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    logging.getLogger("datalad").setLevel(logging.ERROR)
    try:
        yield
    except WorkflowFailure as e:
        text = letter(e.problems if isinstance(e, ConfigFailure) else [e]) + "\n"
        if log_file is not None:
            print(text, file=sys.stderr, flush=True)
        os.write(terminal, text.encode(errors="replace"))
        # Not sys.exit: after a signal, DataLad's threads may outlive the main one.
        logging.shutdown()
        os._exit(1)
