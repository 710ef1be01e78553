"""Compute some merged units again and compare (rule prove)."""

from bidsloom.base.entry_point import entry_point
from bidsloom.base.files import read_json, write_json
from bidsloom.config import read_study
from bidsloom.proof.outcome import FILE, refuse_difference
from bidsloom.proof.prove import prove_study

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        study = read_study(snakemake.config)
        prepared = read_json(study.results / "prepared.json")
        proof = prove_study(study, prepared)
        write_json(study.results / FILE, proof)
        refuse_difference(proof, study.results / FILE)
