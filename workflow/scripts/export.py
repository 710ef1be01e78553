"""Lay out merged results as plain files (rule export)."""

from bidsloom.base.entry_point import entry_point
from bidsloom.config import read_study
from bidsloom.handover.export import export_study

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        export_study(read_study(snakemake.config, checked=True))
