"""By which names a subject is known."""

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.erasure.person import Person, read_person

PERSON = Person("sub-07")


@pytest.mark.parametrize(
    ("path", "owned"),
    [
        ("derivatives/app/sub-07", True),
        ("derivatives/app/sub-07/anat/x.nii.gz", True),
        ("derivatives/app/sub-07.html", True),
        ("code/bids_filter/sub-07_ses-1.json", True),
        ("sub-071/x", False),
        ("sub-07+/x", False),
        ("qc_sub-07.tsv", False),
        ("sub-08/sub-07_to_sub-08.mat", False),
    ],
)
def test_path_belongs_to_the_first_subject_that_it_names(path, owned):
    """A label that starts alike is another one."""
    assert owned == PERSON.owns_path(path)


def test_all_sessions_are_of_the_subject():
    """A unit is a subject, or one of its sessions."""
    units = ["sub-07", "sub-07_ses-1", "sub-071", "group", "sub-08_ses-07"]
    assert ["sub-07", "sub-07_ses-1"] == PERSON.list_own(units)


def test_word_in_a_text():
    """In the middle of a line or at its end, and no longer label."""
    text = "a sub-07, sub-07_x and b-sub-07"
    assert 3 == len(PERSON.word.findall(text))
    assert not PERSON.word.search("sub-071 sub-07a sub-07+")


@pytest.mark.parametrize("label", ["07_ses-1", "", "sub-", "group", "../x", "0 7"])
def test_what_is_no_subject_is_refused(label):
    """A session alone is no person."""
    with pytest.raises(WorkflowFailure, match="not the label of a subject"):
        read_person(label)


@pytest.mark.parametrize("label", ["07", "sub-07"])
def test_label_with_and_without_sub(label):
    assert read_person(label) == PERSON
