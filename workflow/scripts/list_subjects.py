"""Write the tables of units and of those left out (rule list_subjects)."""

from pathlib import Path

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.study import cached_units, write_unit_tables

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):  # noqa: F821
        study = Study.from_config(snakemake.config)  # noqa: F821
        write_unit_tables(
            cached_units(study, snakemake.params.input_commit),  # noqa: F821
            subjects=Path(snakemake.output.subjects),  # noqa: F821
            excluded=Path(snakemake.output.excluded),  # noqa: F821
        )
