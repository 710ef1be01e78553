"""Process one unit (rules process_subject and process_group), or by hand:

python workflow/scripts/process_subject.py --config config/config.yaml --subject 001
"""

from bidsloom.base.own_python import use_own_python

use_own_python()

# ruff: noqa: E402  (this Python may lack what it needs)
import logging
from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.base.runners import describe_scheduler_job
from bidsloom.config import read_study
from bidsloom.config.request import Request
from bidsloom.job.open_job import open_job
from bidsloom.job.process import process_unit

if "snakemake" in globals():
    log_file = Path(snakemake.log[0])
    with entry_point(log_file):
        job = open_job(
            read_study(snakemake.config, checked=True),
            snakemake.wildcards.unit,
            log_file=log_file,
            requested=Request.of_job(snakemake.threads, snakemake.resources),
        )
        if scheduler_job := describe_scheduler_job():
            logging.info(scheduler_job)
        process_unit(job)
elif __name__ == "__main__":
    from bidsloom.commands.job import main

    main()
