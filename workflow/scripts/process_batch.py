"""Process several units, one after the other (rule process_batch)."""

from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.base.files import write_json
from bidsloom.config import read_study
from bidsloom.config.request import Request
from bidsloom.scheduling.batch_job import process_batch

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        done = process_batch(
            read_study(snakemake.config, checked=True),
            snakemake.wildcards.batch,
            requested=Request.of_job(snakemake.threads, snakemake.resources),
        )
        write_json(Path(snakemake.output.done), {"commits": done})
