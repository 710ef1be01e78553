"""The command `bidsloom` of an installed package."""

from __future__ import annotations

import argparse
from importlib.metadata import version

from ..base.paths import SCHEMA_FILE
from . import accept, erase, job, new_study, page, status
from .status import Parser

ABOUT = "Run a BIDS App over every subject of a DataLad dataset; `snakemake` runs the study itself."
ABOUT_SCHEMA = "Print the schema of the config file."


def main() -> None:
    """Read the command line, and run what it asks for; exit code 3 where it makes no sense."""
    parser = Parser(prog="bidsloom", description=ABOUT)
    parser.add_argument("--version", action="version", version=f"bidsloom {version('bidsloom')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, about, ending, add_arguments, run in (
        ("new", new_study.ABOUT, "", new_study.add_arguments, new_study.run),
        ("status", status.ABOUT, status.EXIT_CODES, status.add_arguments, status.run),
        (
            "cancel",
            status.ABOUT_CANCEL,
            status.EXIT_CODES_CANCEL,
            status.add_cancel_arguments,
            status.run_cancel,
        ),
        ("page", page.ABOUT, "", page.add_arguments, page.run),
        ("accept", accept.ABOUT, "", accept.add_arguments, accept.run),
        ("erase", erase.ABOUT, erase.EXIT_CODES, erase.add_arguments, erase.run),
        ("job", job.ABOUT, "", job.add_arguments, job.run),
        ("schema", ABOUT_SCHEMA, "", add_schema_arguments, show_schema),
    ):
        command = commands.add_parser(name, help=about, description=about, epilog=ending)
        add_arguments(command)
        command.set_defaults(run=run)
    arguments = parser.parse_args()
    arguments.run(arguments)


def add_schema_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be typed after `schema`."""
    parser.add_argument("--path", action="store_true", help="print where its file is instead")


def show_schema(arguments: argparse.Namespace) -> None:
    """Print the schema, or its path."""
    print(SCHEMA_FILE if arguments.path else SCHEMA_FILE.read_text().rstrip())
