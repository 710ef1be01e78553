"""Merge results that are not complete, as they are."""

from __future__ import annotations

import argparse

from ..base.entry_point import entry_point
from ..merge.accept import accept_units
from ..reporting.report import write_report
from .chosen import add_config, read_one
from .status import MISTAKE, Parser

ABOUT = "Merge results of some units although they are not complete."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be typed after `accept`."""
    add_config(parser)
    parser.add_argument("units", metavar="UNITS", help="001,002 or 001_ses-pre")


def run(arguments: argparse.Namespace) -> None:
    """Accept and merge, and say which units are merged now."""
    with entry_point(failure_code=MISTAKE):
        study = read_one(arguments)
        outcome = accept_units(study, arguments.units.split(","))
        write_report(study)
        print("merged: " + (", ".join(outcome.merged_now) or "nothing"))
        for unit, why in outcome.unmerged.items():
            print(f"{unit}: not merged: {why}")


def main() -> None:
    """The command line of `accept.py`."""
    parser = Parser(description=ABOUT)
    add_arguments(parser)
    run(parser.parse_args())
