"""A temporary folder in which something is tried."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.files import remove_tree
from ..base.runners import end_processes_in
from ..config import Study


@contextlib.contextmanager
def trial_folder(study: Study) -> Iterator[Path]:
    """A temporary folder on the scratch disk, removed after the trial.

    Raises `WorkflowFailure` where it cannot be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="bidsloom-check-", dir=study.work_dir))
    except OSError as e:
        raise WorkflowFailure(
            f"common.work_dir {study.work_dir} cannot be written to: {e.strerror}.",
            hint="it must exist where jobs run, be writable and have space.",
        ) from e
    try:
        yield folder
    finally:
        # Not all of this process' programs: a merge may run beside others.
        end_processes_in(folder)
        remove_tree(folder)
