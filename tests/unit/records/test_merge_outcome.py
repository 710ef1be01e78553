"""What the last merge did: written and read back, also by another version."""

from bidsloom.base.files import write_json
from bidsloom.records.merge_outcome import (
    MergeOutcome,
    read_merge_outcome,
    read_unmerged,
    write_merge_outcome,
)


def test_merge_outcome_is_read_as_it_was_written(study):
    outcome = MergeOutcome("m", ("sub-02",), ("sub-01", "sub-02"), ("sub-04",), {"sub-03": "why"})
    write_merge_outcome(study, outcome)
    assert outcome == read_merge_outcome(study)
    assert {"sub-03": "why"} == read_unmerged(study)


def test_merge_outcome_of_another_version_is_read(study):
    assert MergeOutcome() == read_merge_outcome(study)
    write_json(study.files.merged, {"main": "m", "merged": ["sub-01"], "later": 1})
    assert MergeOutcome("m", merged=("sub-01",)) == read_merge_outcome(study)
