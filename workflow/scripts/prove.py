"""Compute some merged units again and compare (rule prove)."""

from bidsloom.base.entry_point import entry_point
from bidsloom.config import read_study
from bidsloom.proof.outcome import refuse_difference
from bidsloom.proof.prove import prove_study
from bidsloom.records.prepared import require_prepared

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        study = read_study(snakemake.config, checked=True)
        proof = prove_study(study, require_prepared(study))
        refuse_difference(proof, study.files.proof)
