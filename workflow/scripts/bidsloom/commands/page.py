"""Serve the live page of a study, or of a folder of studies."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path

from ..base.entry_point import entry_point
from ..base.errors import WorkflowFailure
from .status import MISTAKE, Parser, add_config

ABOUT = "Serve a live page of the study: how it stands, what runs, and what can be done."
PACKAGES = ("flask", "waitress", "ruamel.yaml")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be typed after `page`."""
    add_config(parser)
    parser.add_argument(
        "--studies", type=Path, metavar="DIR", help="serve all study folders in DIR, and new ones"
    )
    parser.add_argument("--socket", type=Path, metavar="PATH", help="where the Unix socket is made")
    parser.add_argument(
        "--port", type=int, nargs="?", const=0, metavar="NUMBER",
        help="a port of this machine with a token, instead of a Unix socket",
    )  # fmt: skip
    parser.add_argument("--read-only", action="store_true", help="show, and let nobody act")


def run(arguments: argparse.Namespace) -> None:
    """Serve until Ctrl-C."""
    # Commands that the page starts get what was there before.
    environment = dict(os.environ)
    with entry_point(failure_code=MISTAKE):
        refuse_missing_packages()
        from ..page.serve import serve
        from ..page.studies import Studies

        if arguments.studies and not arguments.studies.is_dir():
            raise WorkflowFailure(f"{arguments.studies} is no folder.", hint="name a folder.")
        if not arguments.studies and not arguments.config.is_file():
            raise WorkflowFailure(
                f"{arguments.config} is not there.",
                hint="name the config file of a study (--config), or a folder of studies "
                "(--studies DIR).",
            )
        studies = Studies(
            config=None if arguments.studies else arguments.config, root=arguments.studies
        )
        serve(
            studies,
            environment=environment,
            port=arguments.port,
            path=arguments.socket and arguments.socket.absolute(),
            read_only=arguments.read_only,
        )


def refuse_missing_packages() -> None:
    """Refuse to start without the packages of the page, which are optional."""
    missing = [name for name in PACKAGES if find_spec(name.partition(".")[0]) is None]
    if missing:
        raise WorkflowFailure(
            f"The page needs packages that are not installed: {', '.join(missing)}.",
            hint="make setup-page in the repository; or pip install 'bidsloom[page]'.",
        )


def main() -> None:
    """The command line of `page.py`."""
    parser = Parser(description=ABOUT)
    add_arguments(parser)
    run(parser.parse_args())
