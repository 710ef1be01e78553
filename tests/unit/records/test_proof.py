"""A proof: written and read back, also by another version."""

from dataclasses import replace

from bidsloom.base.files import read_json, write_json
from bidsloom.records.proof import Proof, ProofState, UnitProof, read_proof, write_proof

PROOF = Proof(
    start="2026-01-01T00:00:00+00:00",
    seed=5,
    main="m",
    units=(
        UnitProof(
            unit="sub-01",
            commit="c",
            state=ProofState.DIFFERS,
            files=4,
            changed=("a",),
            added=("b", "c"),
            seconds=1.5,
        ),
        UnitProof(unit="sub-02", commit="d", message="no brain", seconds=0.5),
    ),
)


def test_proof_is_read_as_it_was_written(study):
    write_proof(study, PROOF)
    assert PROOF == read_proof(study)
    value = {**read_json(study.files.proof), "later": 1, "main": None}
    write_json(study.files.proof, value)
    assert replace(PROOF, main=None) == read_proof(study)
    assert False is read_json(study.files.proof)["identical"]
