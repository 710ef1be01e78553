"""`datalad containers-run` in this process: the only module that imports DataLad."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import types
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CommandError

# Around a run record in a commit message; DataLad finds it by them.
RECORD_START = "=== Do not change lines below ==="
RECORD_END = "^^^ Do not change lines above ^^^"


@dataclass(frozen=True)
class Run:
    """A command that DataLad ran, by the record it would have committed.

    `message` is the first line of the commit.
    """

    dataset: Path
    record: dict[str, Any]
    message: str

    @property
    def exit_code(self) -> int:
        """The command's exit code."""
        return int(self.record["exit"])

    def commit_message(self, **changes: object) -> str:
        """What DataLad would commit, with some entries of the record replaced."""
        record = {**self.record, **changes}
        text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
        return f"[DATALAD RUNCMD] {self.message}\n\n{RECORD_START}\n{text}\n{RECORD_END}\n"


def run_in_container(
    *,
    dataset: Path,
    container: str,
    command: list[str],
    outputs: list[str],
    message: str,
) -> Run:
    """`datalad containers-run --explicit` in this process, as far as the end of the command.

    In-process because a DataLad start costs more than all the git calls of a
    job.  No inputs are declared: DataLad would look for each once more, and
    what reads them has fetched them.  DataLad reports the run before it saves
    anything; saving is the caller's, who loses no file to an ignore rule.

    Raises
    ------
    CommandError
        With exit code -1 where DataLad could not start the command.

    """
    containers_run = import_containers_run()
    with contextlib.chdir(dataset), present_image_not_looked_for():
        results = containers_run(
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
        # Closed before DataLad goes on to save what the command wrote.
        with contextlib.closing(results):
            for result in results:
                if "run_info" in result:
                    return Run(dataset, result["run_info"], message)
                if result["status"] not in ("ok", "notneeded"):
                    why = result.get("message") or result.get("error_message") or result["status"]
                    if isinstance(why, tuple):
                        why = why[0] % why[1:]
                    raise CommandError(command, str(dataset), -1, str(why))
    raise CommandError(command, str(dataset), -1, "DataLad did not say that it ran the command")


@contextlib.contextmanager
def present_image_not_looked_for() -> Iterator[None]:
    """Within the block, DataLad gets the image only where its content is not there.

    DataLad starts git-annex three times to find that it is, a sixth of what a
    job costs beside its app.
    """
    from datalad.core.local import run as module

    original = module.prepare_inputs

    def prepare_inputs(dataset: str, inputs: Any, extra_inputs: Any, jobs: Any = None) -> Any:
        # What is in no installed dataset is a miss; of a link without content, its target is.
        missing = extra_inputs.misses or not all(map(os.path.exists, extra_inputs.expand_strict()))
        if inputs or missing:
            yield from original(dataset, inputs, extra_inputs, jobs)

    module.prepare_inputs = prepare_inputs
    try:
        yield
    finally:
        module.prepare_inputs = original


def import_containers_run() -> Callable[..., Generator[dict[str, Any], None, None]]:
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
