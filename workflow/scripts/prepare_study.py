"""Prepare the study dataset and the output store (rule prepare_study)."""

from pathlib import Path

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.prepare import prepare_study
from bidsloom.records import write_json

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        prepared = prepare_study(
            Study.from_config(snakemake.config),
            commit=snakemake.params.input_commit,
            image_id=snakemake.params.image_id,
            further=snakemake.params.further,
        )
        write_json(Path(snakemake.output.prepared), prepared)
