"""Compute some merged units again and compare (rule prove)."""

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.proof import FILE, refuse_difference
from bidsloom.prove import prove_study
from bidsloom.records import read_json, write_json

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        study = Study.from_config(snakemake.config)
        prepared = read_json(study.results / "prepared.json")
        proof = prove_study(study, prepared)
        write_json(study.results / FILE, proof)
        refuse_difference(proof, study.results / FILE)
