"""Make a folder for a new study, which uses the workflow where it is installed."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..base.entry_point import entry_point
from ..prepare.study_folder import list_apps, make_study

ABOUT = "Make a folder for a new study: config, profiles, and a Snakefile that uses this bidsloom."
NEXT = """\
{folder} is made.  Next:
    cd {folder}
    $EDITOR config/config.yaml            # the paths, the image, the app's arguments
    $EDITOR profiles/slurm/config.yaml    # on a cluster: partition, account
    snakemake --cores 1 check             # on a cluster: snakemake --profile slurm check
    snakemake -n"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be typed."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    parser.add_argument(
        "--app", choices=list_apps(), help="start from this app's example (default: any BIDS App)"
    )
    parser.add_argument(
        "--chain",
        nargs="+",
        metavar="APP",
        help="several studies that run as one, a config file each: fmriprep xcpd",
    )


def run(arguments: argparse.Namespace) -> None:
    """Make the folder, and say what comes next."""
    with entry_point():
        folder = arguments.folder
        make_study(folder, app=arguments.app, chain=arguments.chain or ())
        print(NEXT.format(folder=folder))
