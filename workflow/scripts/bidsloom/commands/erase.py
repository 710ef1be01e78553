"""Take all results of a withdrawn subject out of the output stores."""

from __future__ import annotations

import argparse
import sys

from ..base.entry_point import entry_point
from ..base.errors import WorkflowFailure
from ..config import read_config, read_study
from ..erasure.erase import describe_plan, describe_rest, erase_person, look_at_person
from ..erasure.person import Person, read_person
from ..reporting.report import write_report
from .status import MISTAKE, Parser, add_config

ABOUT = "Take all results of a withdrawn subject out of the output stores."
EXIT_CODES = "Exit codes: 0 it is erased; 3 nothing was erased, or not all of it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be typed after `erase`."""
    add_config(parser)
    parser.add_argument("subject", metavar="SUBJECT", help="the label, 07 or sub-07")
    parser.add_argument("--dry-run", action="store_true", help="show what would go, change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> None:
    """Show what would go, ask, erase, and say what still names the subject."""
    with entry_point(failure_code=MISTAKE):
        study = read_study(read_config(arguments.config))
        person = read_person(arguments.subject)
        plan = look_at_person(study, person)
        if plan.is_empty and not plan.erased_before:
            raise WorkflowFailure(
                f"There is nothing of {person.subject} in study {study.name}.",
                hint="check the label; nothing was changed.",
            )
        head = "would be removed" if arguments.dry_run else "is removed"
        print(f"Of {person.subject} in study {study.name} {head}:")
        print("\n".join(f"  {line}" for line in describe_plan(study, plan)))
        if arguments.dry_run:
            return
        if not arguments.yes:
            ask(person)
        plan = erase_person(study, person)
        write_report(study)
        print(f"\n{person.subject} is erased: no branch and no content of it is left.\n")
        print("\n".join(describe_rest(study, plan)))


def ask(person: Person) -> None:
    """Let the user confirm; raises `WorkflowFailure` where they do not, or nobody can be asked."""
    if not sys.stdin.isatty():
        raise WorkflowFailure(
            "Nobody can be asked whether that is meant: this is no terminal.",
            hint="add --yes; --dry-run only shows it.",
        )
    print("This cannot be undone.  Type the subject's name to erase it: ", end="", flush=True)
    if sys.stdin.readline().strip() != person.subject:
        raise WorkflowFailure(
            f"That is not {person.subject}; nothing was erased.", hint="start again."
        )


def main() -> None:
    """The command line of `erase.py`."""
    parser = Parser(description=ABOUT, epilog=EXIT_CODES)
    add_arguments(parser)
    run(parser.parse_args())
