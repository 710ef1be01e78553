"""End with an error: some datasets of a chain have faults (rule refuse_datasets)."""

from bidsloom.base.entry_point import entry_point
from bidsloom.base.errors import WorkflowFailure

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        raise WorkflowFailure(
            f"Nothing was started for {snakemake.params.names}; the first error message says why.",
            hint="correct what that names, then start snakemake again; other datasets go on.",
        )
