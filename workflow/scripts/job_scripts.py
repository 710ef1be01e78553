"""Write one sbatch-able script per unit (rule job_scripts)."""

import sys

from bidsloom.base.entry_point import entry_point
from bidsloom.config import read_study
from bidsloom.scheduling.job_scripts import write_job_scripts

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        folder = write_job_scripts(
            read_study(snakemake.config, checked=True),
            snakemake.config,
            units=snakemake.params.units,
            options=snakemake.params.options,
            python=sys.executable,
        )
        print(f"{len(snakemake.params.units)} scripts in {folder}")
