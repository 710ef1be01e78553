"""Merge finished job branches into main (rules merge_branches and merge)."""

from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config import read_study
from bidsloom.merge.merge import merge_branches
from bidsloom.reporting.processing_status import write_processing_status
from bidsloom.reporting.unit_states import collect_rows, refuse_unsettled
from bidsloom.units.unit import GROUP

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        study = read_study(snakemake.config, checked=True)
        merged = merge_branches(study)
        rows = collect_rows(study)
        write_processing_status(study, rows)
        if merged.unmerged:
            raise WorkflowFailure(
                f"{len(merged.unmerged)} unit(s) were left unmerged:\n"
                + "\n".join(f"  {unit}: {why}" for unit, why in merged.unmerged.items()),
                hint=f"see {study.files.report_page}; the others are merged.",
            )
        if snakemake.output:
            # The whole study was to be merged: that is looked at, not assumed.
            group = snakemake.rule == "merge_group"
            refuse_unsettled(row for row in rows if group or row.unit != GROUP)
            Path(snakemake.output[0]).write_text(f"{merged.main}\n")
