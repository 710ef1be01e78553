"""The call that a job on a node makes: `run_job.py`, instead of a Snakemake of its own.

Also the lists of calls that the tasks of an array choose from,
`results/<study>/arrays/<array>.json`.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ..base.files import read_json, write_json, write_text
from ..base.paths import SCRIPTS
from ..config import Study
from ..config.plain_values import plain
from ..config.reading import restore_on
from ..config.request import NOTHING_KNOWN, Request

SCRIPT = SCRIPTS / "run_job.py"
KINDS = ("unit", "batch", "prove", "check")


@dataclass(frozen=True)
class NodeCall:
    """What one job does: a unit (or the group), a batch, a proof or a check of the node.

    `needs` are files that another node may have written a moment ago.
    """

    kind: str
    name: str
    log: str
    output: str = ""
    requested: Request = NOTHING_KNOWN
    attempt: int = 1
    needs: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """The call as arguments of the command line."""
        words = {
            "kind": self.kind,
            "name": self.name,
            "log": self.log,
            "output": self.output,
            "threads": self.requested.cpus,
            "mem-mb": self.requested.mem_mb,
            "minutes": self.requested.minutes,
            "attempt": self.attempt,
        }
        told = [f"--{key}={value}" for key, value in words.items() if value not in (None, "")]
        return [*told, *(f"--needs={path}" for path in self.needs)]

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> NodeCall:
        """The call that arguments of the command line make."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--kind", choices=KINDS, required=True)
        for text in ("name", "log", "output"):
            parser.add_argument(f"--{text}", default="")
        for number in ("threads", "mem-mb", "minutes"):
            parser.add_argument(f"--{number}", type=int)
        parser.add_argument("--attempt", type=int, default=1)
        parser.add_argument("--needs", action="append", default=[])
        found = parser.parse_args(arguments)
        return cls(
            kind=found.kind,
            name=found.name,
            log=found.log,
            output=found.output,
            requested=Request(found.threads, found.mem_mb, found.minutes),
            attempt=found.attempt,
            needs=tuple(found.needs),
        )


@dataclass(frozen=True)
class CallSetting:
    """What the calls of one run of Snakemake share."""

    directory: Path
    config: Path
    ended: Path
    latency_wait: int = 0

    def command(self, call: NodeCall | None = None, *, array: Path | None = None) -> str:
        """`run_job.py` with the arguments of a call, or of the call that a task of an array has."""
        words = [
            str(SCRIPT),
            f"--directory={self.directory}",
            f"--config={self.config}",
            f"--ended={self.ended}",
            f"--latency-wait={self.latency_wait}",
        ]
        if array:
            words.append(f"--array={array}")
        return shlex.join([*words, *(call.arguments() if call else [])])


def write_job_config(study: Study, config: Mapping) -> Path:
    """Write the resolved configuration, which the jobs read; it may hold a password."""
    text = yaml.safe_dump(plain(restore_on(config), []), sort_keys=False)
    write_text(study.files.job_config, text, private=True)
    return study.files.job_config


def write_array(study: Study, array: str, calls: Sequence[NodeCall]) -> Path:
    """Write the calls of an array's tasks, which are counted from one."""
    write_json(study.files.array(array), [call.arguments() for call in calls])
    return study.files.array(array)


def read_array(path: Path) -> list[NodeCall]:
    """The calls of an array's tasks; none where the file is gone."""
    return [NodeCall.parse(arguments) for arguments in read_json(path) or []]
