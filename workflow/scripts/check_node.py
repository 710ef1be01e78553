"""Check that jobs have what they need on this machine (rule check_node)."""

from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.checks.on_node import record_check
from bidsloom.config import read_study

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        record_check(read_study(snakemake.config, checked=True), Path(snakemake.output[0]))
