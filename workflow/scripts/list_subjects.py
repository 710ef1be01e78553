"""Write the tables of units and of those left out (rule list_subjects)."""

from pathlib import Path

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.listing import cached_units
from bidsloom.study import write_unit_tables

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        study = Study.from_config(snakemake.config)
        write_unit_tables(
            cached_units(study, snakemake.params.input_commit, snakemake.params.further),
            subjects=Path(snakemake.output.subjects),
            excluded=Path(snakemake.output.excluded),
        )
