"""The studies that a command is about: that of a config file, or those of a chain."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..base.errors import WorkflowFailure, error_message
from ..chains.chain_file import Chain, is_chain, read_chain
from ..config import Study, read_config, read_study


def add_config(parser: argparse.ArgumentParser) -> None:
    """The options that name the study."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config/config.yaml"),
        help="the config file of the study, or of a chain (default: %(default)s)",
    )
    parser.add_argument("--step", default="", metavar="STUDY", help="one study of a chain")


def read_chosen(arguments: argparse.Namespace) -> tuple[list[Study], Chain | None]:
    """The studies that `--config` and `--step` name, and the chain if that is one.

    Raises `WorkflowFailure` or `ConfigFailure`.
    """
    config, step = read_config(arguments.config), arguments.step
    if not is_chain(config):
        if step:
            raise WorkflowFailure(
                f"--step {step} names a study of a chain, but {arguments.config} is a study.",
                hint="leave --step out, or name the chain's file with --config.",
            )
        return [read_study(config)], None
    chain = read_chain(config, arguments.config)
    if step:
        return [chain.step(step).study], None
    return [step.study for step in chain.steps], chain


def read_one(arguments: argparse.Namespace) -> Study:
    """The one study that a command is about.

    Raises `WorkflowFailure` where it is a chain and no step is named.
    """
    studies, chain = read_chosen(arguments)
    if chain is not None:
        raise WorkflowFailure(
            f"{arguments.config} is a chain; this is about one of its studies.",
            hint=f"name it: --step {studies[0].name} (of {', '.join(s.name for s in studies)}).",
        )
    return studies[0]


def tell_refused(chain: Chain) -> str:
    """What is wrong with datasets of a chain."""
    return "\n".join(error_message(list(problems)) for problems in chain.refused.values())
