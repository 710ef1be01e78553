"""Merge finished job branches into main (rules merge_branches and merge)."""

from pathlib import Path

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.errors import WorkflowFailure
from bidsloom.merge import merge_branches
from bidsloom.records import write_json

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        study = Study.from_config(snakemake.config)
        merged = merge_branches(study)
        write_json(study.results / "merged.json", merged)
        if merged["unmerged"]:
            raise WorkflowFailure(
                f"{len(merged['unmerged'])} unit(s) were left unmerged:\n"
                + "\n".join(f"  {unit}: {why}" for unit, why in merged["unmerged"].items()),
                hint=f"see {study.results / 'report.html'}; the others are merged.",
            )
        if snakemake.output:
            Path(snakemake.output[0]).write_text(merged["main"] + "\n")
