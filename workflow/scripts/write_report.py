"""Write the report's tables and page (rules write_report and report)."""

from bidsloom.base.entry_point import entry_point
from bidsloom.config import read_study
from bidsloom.handover.bids_prov import write_provenance
from bidsloom.reporting.report import note_run, write_report

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        # Rule write_report comes last in a run that went well; target `report` at any time.
        study = read_study(snakemake.config, checked=True)
        if snakemake.rule == "write_report":
            note_run(study, outcome="finished")
        if study.report.prov and study.files.prepared.exists():
            write_provenance(study)
        write_report(study)
