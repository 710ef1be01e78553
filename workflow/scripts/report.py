"""Write the report's tables and page (rule report)."""

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.report import write_report

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        write_report(Study.from_config(snakemake.config))
