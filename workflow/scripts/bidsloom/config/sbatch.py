"""`hpc.sbatch`: options of sbatch, read as arguments; no shell ever sees their text.

Each option becomes one argument in its long form, `--nice=100`.  Options that
the workflow sets itself, or that would change what a submission is, are
refused by name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from ..base.errors import WorkflowFailure

KEY = "hpc.sbatch"
MAX_LENGTH = 4000
# sbatch's short options, and the long ones that mean the same.
SHORT = {
    **{"A": "account", "a": "array", "B": "extra-node-info", "b": "begin", "C": "constraint"},
    **{"c": "cpus-per-task", "D": "chdir", "d": "dependency", "e": "error", "F": "nodefile"},
    **{"G": "gpus", "h": "help", "H": "hold", "i": "input", "J": "job-name", "k": "no-kill"},
    **{"L": "licenses", "M": "clusters", "m": "distribution", "N": "nodes", "n": "ntasks"},
    **{"O": "overcommit", "o": "output", "p": "partition", "Q": "quiet", "q": "qos"},
    **{"S": "core-spec", "s": "oversubscribe", "t": "time", "V": "version", "v": "verbose"},
    **{"W": "wait", "w": "nodelist", "x": "exclude"},
}
# Those of them that take no value.
FLAGS = "hHkOQsVvW"
# What the workflow sets, with what to use in its place.
BY_KEY = {
    "account": "hpc.account",
    "partition": "hpc.partition",
    "qos": "hpc.qos",
    "time": "hpc.time",
    "mem": "hpc.mem",
    "mem-per-cpu": "hpc.mem",
    "cpus-per-task": "hpc.cpus",
    "cpus-per-gpu": "hpc.cpus",
    "gpus": "hpc.gpus",
    "gres": "hpc.gpus",
    "array": "hpc.units_per_job",
    "export": "hpc.environment",
    "export-file": "hpc.environment",
}
# A job is one process on one node, with a name and a log by which it is found again.
OWN: tuple[str, ...] = (
    "chdir",
    "clusters",
    "comment",
    "error",
    "input",
    "job-name",
    "nodes",
    "ntasks",
)

OWN += (
    "ntasks-per-gpu",
    "output",
    "parsable",
    "requeue",
    "no-requeue",
    "uid",
    "gid",
    "wait",
    "workdir",
    "wrap",
    "nodefile",
)
OWN += ("get-user-env", "ignore-pbs", "test-only", "help", "usage", "version", "verbose", "quiet")
# Options with which those above might be mistaken: sbatch takes the start of a name for a name.
OTHERS: tuple[str, ...] = (
    "begin",
    "bb",
    "bbf",
    "container",
    "constraint",
    "cluster-constraint",
    "contiguous",
)
OTHERS += ("cores-per-socket", "core-spec", "cpu-freq", "deadline", "delay-boot", "dependency")
OTHERS += ("distribution", "exclude", "exclusive", "extra-node-info", "gpu-bind", "gpu-freq")
OTHERS += ("gres-flags", "hint", "hold", "licenses", "mail-type", "mail-user", "mcs-label")
OTHERS += ("mem-bind", "mincpus", "network", "nice", "no-kill", "nodelist", "open-mode")
OTHERS += ("overcommit", "oversubscribe", "power", "prefer", "priority", "profile", "propagate")
OTHERS += ("reboot", "reservation", "signal", "sockets-per-node", "spread-job", "switches")
OTHERS += ("thread-spec", "threads-per-core", "time-min", "tmp", "tres-per-task", "use-min-nodes")
OTHERS += ("gpus-per-node", "gpus-per-socket", "gpus-per-task", "mem-per-gpu", "ntasks-per-core")
OTHERS += (
    "ntasks-per-node",
    "ntasks-per-socket",
    "wait-all-nodes",
    "wckey",
    "acctg-freq",
    "batch",
    "kill-on-invalid-dep",
)
KNOWN = (*BY_KEY, *OWN, *OTHERS)


class BadOptions(ValueError):
    """Why a text is no list of sbatch's options, and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def parse_sbatch(text: str) -> tuple[str, ...]:
    """The options in a text, each as one argument in its long form.

    Raises `BadOptions` where it holds something else, or an option that the
    workflow sets itself.
    """
    if len(text) > MAX_LENGTH:
        raise BadOptions(f"is longer than {MAX_LENGTH} characters", "keep what jobs need.")
    try:
        words = shlex.split(text)
    except ValueError as e:
        raise BadOptions(
            f"cannot be split into options: {e}", "close the quotation mark, or delete it."
        ) from e
    options = []
    while words:
        word = words.pop(0)
        if word.startswith("--") and len(word) > 2:
            options.append(long_option(word, words))
        elif re.match(r"-[^-]", word):
            options += short_options(word[1:], words)
        else:
            raise BadOptions(
                f"holds {word!r}, which is no option of sbatch",
                "options start with '-'; put a value with blanks in quotes.",
            )
    return tuple(options)


def long_option(word: str, words: list[str]) -> str:
    """An option in its long form; its value may be the next word."""
    name, equals, value = word[2:].partition("=")
    check_name(name, word)
    if not equals and words and not words[0].startswith("-"):
        equals, value = "=", words.pop(0)
    return f"--{name}{equals}{value}"


def short_options(letters: str, words: list[str]) -> Iterator[str]:
    """Options in their short form: some without a value, the last one maybe with one."""
    word = f"-{letters}"
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in SHORT:
            raise BadOptions(f"holds -{letter}, which is no option of sbatch", "see man sbatch.")
        name = SHORT[letter]
        check_name(name, word)
        if letter in FLAGS:
            yield f"--{name}"
            continue
        if not letters and not words:
            raise BadOptions(f"holds {word} without its value", f"write --{name}=VALUE.")
        yield f"--{name}={letters or words.pop(0)}"
        return


def check_name(name: str, word: str) -> None:
    """Refuse a name that is none, is reserved, or may be short for a reserved one."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise BadOptions(f"holds {word!r}, which is no option of sbatch", "see man sbatch.")
    meant = [name] if name in KNOWN else [known for known in KNOWN if known.startswith(name)]
    for full in meant:
        if full in BY_KEY:
            raise BadOptions(
                f"holds {word!r}, which the workflow sets itself", f"use {BY_KEY[full]} instead."
            )
        if full in OWN:
            raise BadOptions(
                f"holds {word!r}, which the workflow sets itself, or which would make another "
                "kind of job",
                "delete it.",
            )
    if len(meant) == 1 and meant[0] != name:
        raise BadOptions(f"holds {word!r}, which is short for --{meant[0]}", "write it out.")


def find_sbatch_faults(text: object) -> Iterator[WorkflowFailure]:
    """What is wrong with `hpc.sbatch`."""
    if not isinstance(text, str):
        return
    try:
        parse_sbatch(text)
    except BadOptions as e:
        yield WorkflowFailure(f"{KEY} {e.what}.", hint=e.hint)


def split_constraint(options: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """The options without `--constraint`, and its value: Snakemake's plugin sets it itself."""
    start = "--constraint="
    found = [option.removeprefix(start) for option in options if option.startswith(start)]
    others = tuple(option for option in options if not option.startswith(start))
    return others, found[-1] if found else None
