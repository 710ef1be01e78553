"""What becomes of every unit, also while Snakemake runs; and cancel the jobs of some."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import NoReturn

from ..base.entry_point import entry_point
from ..base.errors import WorkflowFailure, error_message
from ..chains.chain_file import Chain
from ..chains.overview import describe_chain, list_lines
from ..config import Study
from ..reporting.live_status import current_rows
from ..reporting.status_text import exit_code, status_text
from ..reporting.unit_states import Row, count_states
from ..scheduling.cancel import cancel_units
from ..units.unit import unit_name
from .chosen import add_config, read_chosen, read_one, tell_refused

# A study with the rows of its units.
Known = tuple[Study, list[Row]]
MISTAKE = 3
ABOUT = "What becomes of every unit, also while Snakemake runs."
ABOUT_CANCEL = "End the jobs of some units, and of no others."
EXIT_CODES = (
    "Exit codes: 0 all is done and merged; 1 units failed, and no job is at work; "
    "2 there is work left; 3 the question was wrong."
)
EXIT_CODES_CANCEL = "Exit codes: 0 all of them were cancelled; 1 not all; 3 the question was wrong."


class Parser(argparse.ArgumentParser):
    """Ends with 3 where it does not understand: 2 means something else here."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        self.print_usage(sys.stderr)
        self.exit(MISTAKE, f"{self.prog}: {message}\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be typed after `status`."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="every unit, for programs")
    shown = parser.add_mutually_exclusive_group()
    for name, about in (("all", "every unit"), ("failed", "units that failed, all of them")):
        shown.add_argument(f"--{name}", action="store_const", dest="shown", const=name, help=about)
    parser.add_argument(
        "--watch", type=float, nargs="?", const=5, metavar="SECONDS", help="again and again"
    )
    parser.set_defaults(shown="")


def add_cancel_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be typed after `cancel`."""
    add_config(parser)
    parser.add_argument("units", metavar="UNITS", help="001,002 or 001_ses-pre")
    add_neighbours(parser)


def add_neighbours(parser: argparse.ArgumentParser) -> None:
    """The option that cancels more units than were named."""
    parser.add_argument(
        "--with-neighbours", action="store_true", help="also those that share a job with them"
    )


def run(arguments: argparse.Namespace) -> NoReturn:
    """Show the status, and end with its exit code."""
    # `| head` has read enough.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    with entry_point(failure_code=MISTAKE):
        studies, chain = read_chosen(arguments)
        if arguments.watch:
            watch(studies, chain, arguments.watch, shown=arguments.shown)
        known = read_known(studies, chain)
        told = (
            as_json(known, chain)
            if arguments.json
            else status_of_all(known, chain, shown=arguments.shown)
        )
        print(told, flush=True)
        if chain and chain.refused:
            print(tell_refused(chain), file=sys.stderr)
        code = exit_code(row for _, rows in known for row in rows)
        # Studies that were not started yet, and datasets with faults, are left.
        left = len(known) < len(studies) or bool(chain and chain.refused)
        sys.exit(code or (2 if left else 0))


def run_cancel(arguments: argparse.Namespace) -> NoReturn:
    """Cancel units, and end with an exit code."""
    with entry_point(failure_code=MISTAKE):
        study = read_one(arguments)
        labels = arguments.units.split(",")
        sys.exit(cancel(study, labels, with_neighbours=arguments.with_neighbours))


def warn(failure: WorkflowFailure) -> None:
    """Tell what could not be asked."""
    print(error_message([failure]), file=sys.stderr)


def read_rows(study: Study) -> list[Row]:
    """A row for every unit; refuses a study that was never listed."""
    rows = current_rows(study, warn=warn) if study.results.exists() else []
    if not rows:
        raise WorkflowFailure(
            f"Nothing is known of study {study.name} yet: no units are listed in {study.results}.",
            hint="run `snakemake -n` first, in the folder in which the study is run; "
            "start this here, too.",
        )
    return rows


def read_known(studies: list[Study], chain: Chain | None) -> list[Known]:
    """The rows of each study; of a chain, of those that were started."""
    started = [study for study in studies if not chain or study.results.exists()]
    return [(study, read_rows(study)) for study in started or studies[:1]]


def status_of_all(known: list[Known], chain: Chain | None, *, shown: str) -> str:
    """The status of each study; of a chain, with a line each before them."""
    texts = [status_text(rows, study, shown=shown) for study, rows in known]
    return "\n\n".join([*([describe_chain(list_lines(chain))] if chain else []), *texts])


def as_json(known: list[Known], chain: Chain | None) -> str:
    """All that is known, for programs."""
    told = [
        {"study": study.name, "counts": count_states(rows), "units": list(map(asdict, rows))}
        for study, rows in known
    ]
    value = {"chain": chain.name, "studies": told} if chain else told[0]
    return json.dumps(value, indent=1, ensure_ascii=False)


def watch(studies: list[Study], chain: Chain | None, seconds: float, *, shown: str) -> None:
    """Show the status again and again, until it is interrupted."""
    while True:
        text = status_of_all(read_known(studies, chain), chain, shown=shown)
        # To the top of the screen, which is cleared from there on.
        print(f"\x1b[H\x1b[2J{text}\n\n{time.strftime('%H:%M:%S')}, Ctrl-C ends", flush=True)
        time.sleep(seconds)


def units_of(label: str, known: Iterable[str]) -> list[str]:
    """The units that a label names: one, or all sessions of a subject."""
    name = unit_name(label)
    found = [unit for unit in known if unit == name or unit.startswith(f"{name}_ses-")]
    if not found:
        raise WorkflowFailure(
            f"{label}: there is no such unit in this study.",
            hint="nothing was cancelled; --all shows every unit.",
        )
    return found


def cancel(study: Study, labels: list[str], *, with_neighbours: bool) -> int:
    """Cancel the jobs of some units, and say what became of each; returns the exit code."""
    states = {row.unit: row.state for row in read_rows(study)}
    asked = [unit for label in labels for unit in units_of(label, states)]
    plan = cancel_units(study, asked, with_neighbours=with_neighbours)
    for work in plan.work:
        job = f"SLURM job {work.job}" if work.job else f"process {work.process}"
        print(f"{work.unit}: cancelled, {job}{f' on {work.node}' if work.node else ''}")
    if others := sorted(set(plan.units) - set(asked)):
        print(f"with them: {', '.join(others)}")
    for unit, neighbours in plan.shared.items():
        print(
            f"{unit}: not cancelled, its job also has {', '.join(neighbours)}; "
            "--with-neighbours cancels them too"
        )
    for unit in plan.absent:
        print(f"{unit}: no job is at it, it is {states[unit]}")
    return 1 if plan.shared or plan.absent else 0


def main() -> None:
    """The command line of `status.py`."""
    parser = Parser(
        description=ABOUT,
        epilog=f"{EXIT_CODES}  With --cancel: 0 all of them were cancelled, 1 not all.",
    )
    add_arguments(parser)
    parser.add_argument(
        "--cancel", metavar="UNITS", dest="units", help=f"{ABOUT_CANCEL} 001,002 or 001_ses-pre"
    )
    add_neighbours(parser)
    arguments = parser.parse_args()
    if arguments.units:
        run_cancel(arguments)
    run(arguments)
