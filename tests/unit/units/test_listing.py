"""Which units there are, and which of the merged ones are there no longer."""

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config.study import Selection
from bidsloom.units.listing import find_withdrawn, named_selection


@pytest.mark.parametrize(
    ("known", "withdrawn"),
    [
        (["sub-1", "sub-2"], ["sub-3", "sub-4_ses-a"]),
        (["sub-1_ses-a", "sub-3_ses-a", "sub-4_ses-b"], ["sub-2", "sub-4_ses-a"]),
        (["sub-1", "sub-2", "sub-3", "sub-4"], []),
        ([], []),
    ],
)
def test_withdrawn_units(known, withdrawn):
    """Another processing level withdraws nobody; nor does a list that is missing."""
    merged = ["sub-1", "sub-2", "sub-3", "sub-4_ses-a", "group"]
    assert withdrawn == find_withdrawn(merged, known)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"\xff\xfe0\0", "it is not a text file"),
        (b"sub-01\tpatient\n", "is not a subject's label"),
        (b"participant_id,age\nsub-01,3\n", "separated by tabs"),
        (b"# nobody yet\n", "which has no labels"),
    ],
)
def test_bad_label_file_is_a_letter(tmp_path, content, words):
    path = tmp_path / "list"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WorkflowFailure) as caught:
        named_selection(Selection(include=path))
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
