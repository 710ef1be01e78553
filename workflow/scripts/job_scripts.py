"""Write one sbatch-able script per unit (rule job_scripts)."""

import sys

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.scripts import write_job_scripts

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        folder = write_job_scripts(
            Study.from_config(snakemake.config),
            snakemake.config,
            units=snakemake.params.units,
            options=snakemake.params.options,
            python=sys.executable,
        )
        print(f"{len(snakemake.params.units)} scripts in {folder}")
