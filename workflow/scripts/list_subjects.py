"""Write the tables of units and of those left out (rule list_subjects)."""

from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.config import read_study
from bidsloom.units.listing import cached_units
from bidsloom.units.unit_tables import write_unit_tables

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        study = read_study(snakemake.config, checked=True)
        write_unit_tables(
            cached_units(study, snakemake.params.input_commit, snakemake.params.further),
            subjects=Path(snakemake.output.subjects),
            excluded=Path(snakemake.output.excluded),
        )
