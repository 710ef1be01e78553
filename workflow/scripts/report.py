"""Write the report's tables and page (rule report)."""

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.report import write_report

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        # Rule write_report comes last in a run that went well; target `report` at any time.
        outcome = "finished" if snakemake.rule == "write_report" else ""
        write_report(Study.from_config(snakemake.config), outcome=outcome)
