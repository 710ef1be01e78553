"""Write the report of each study of a chain, and the overview (rule report)."""

from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.chains.chain_file import read_chain
from bidsloom.chains.overview import write_overview
from bidsloom.reporting.report import write_report

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        chain = read_chain(snakemake.config, Path(snakemake.params.file))
        for step in chain.steps:
            if step.study.results.exists():
                write_report(step.study)
        print(write_overview(chain))
