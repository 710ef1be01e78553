"""Prepare the study dataset and the output store (rule prepare_study)."""

from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.base.files import write_json
from bidsloom.config import read_study
from bidsloom.prepare.study_dataset import prepare_study

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        prepared = prepare_study(
            read_study(snakemake.config),
            commit=snakemake.params.input_commit,
            image_id=snakemake.params.image_id,
            further=snakemake.params.further,
        )
        write_json(Path(snakemake.output.prepared), prepared)
