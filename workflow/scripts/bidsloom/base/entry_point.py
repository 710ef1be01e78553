"""What every script does first and last: environment, log, error messages."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import ConfigFailure, WorkflowFailure, error_message
from .runners import set_up_environment


def end_once(number: int, _frame: object) -> None:
    """End the process on a signal, and ignore the signals that come after it."""
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_IGN)
    sys.exit(128 + number)


@contextlib.contextmanager
def entry_point(
    log_file: str | Path | None = None,
    *,
    failure_code: int = 1,
    ended: Callable[[int], None] = lambda code: None,
) -> Iterator[None]:
    """Run a script's work with its log; a `WorkflowFailure` ends it with an error message.

    Everything that this process and its children print goes to `log_file`.
    The error message goes there and to the terminal, and the process ends
    with `failure_code`.  Last of all, `ended` is called with the exit code,
    unless the process was killed.  SIGTERM ends the work as Ctrl-C does, so that the
    clean-up runs; further signals do not interrupt the clean-up.
    """
    signal.signal(signal.SIGTERM, end_once)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_once)
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
        set_up_environment()
        yield
    except WorkflowFailure as e:
        text = error_message(e.problems if isinstance(e, ConfigFailure) else [e]) + "\n"
        # The log may lie on the disk that is full.
        if log_file is not None:
            with contextlib.suppress(OSError):
                print(text, file=sys.stderr, flush=True)
        os.write(terminal, text.encode(errors="replace"))
        # Not sys.exit: after a signal, DataLad's threads may outlive the main one.
        logging.shutdown()
        ended(failure_code)
        os._exit(failure_code)
    except BaseException:
        ended(1)
        raise
    ended(0)
