"""Prepare the study dataset and the output store (rule prepare_study)."""

from bidsloom.base.entry_point import entry_point
from bidsloom.config import read_study
from bidsloom.prepare.study_dataset import prepare_study

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        prepare_study(
            read_study(snakemake.config, checked=True),
            commit=snakemake.params.input_commit,
            image_id=snakemake.params.image_id,
            further=snakemake.params.further,
        )
