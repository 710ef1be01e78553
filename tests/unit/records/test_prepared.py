"""The prepared study: written and read back, also by another version."""

from dataclasses import replace

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.base.files import read_json, write_json
from bidsloom.containers.runtimes import Runtime
from bidsloom.records.prepared import Prepared, read_prepared, require_prepared, write_prepared

PREPARED = Prepared(
    dataset_id="id",
    bases={"": "b0", "other": "b1"},
    input_commit="i",
    further_commits={"pre": "f"},
    container_key="MD5E-s1--a",
    image="MD5E-s1--b",
    runtime=Runtime.APPTAINER,
    identity=("Ana", "ana@example.org"),
    lock_token="t",
    made_from="d",
)


def test_prepared_study_is_read_as_it_was_written(study):
    write_prepared(study, PREPARED)
    assert PREPARED == read_prepared(study)


def test_prepared_study_of_another_version_is_read(study):
    """A key that this version does not know is ignored; one that it lacks is not known."""
    write_prepared(study, PREPARED)
    value = {**read_json(study.files.prepared), "later": "x", "identity": None, "lock_token": None}
    write_json(study.files.prepared, value)
    assert replace(PREPARED, identity=(), lock_token=None) == read_prepared(study)


def test_study_that_is_not_prepared_is_refused_with_what_to_type(study):
    assert read_prepared(study) is None
    with pytest.raises(WorkflowFailure, match=r"prepared\.json is missing") as caught:
        require_prepared(study)
    assert "prepare_study" in caught.value.hint
