"""A unit's name and its parts."""

import pytest
from bidsloom.units.unit import folder_of, join_name, split_name, subject_of, unit_name


@pytest.mark.parametrize(
    ("name", "labels", "subject", "folder"),
    [
        ("sub-01", ("01", None), "sub-01", "sub-01"),
        ("sub-01_ses-pre", ("01", "pre"), "sub-01", "sub-01/ses-pre"),
        # Labels may look like prefixes.
        ("sub-sub_ses-ses", ("sub", "ses"), "sub-sub", "sub-sub/ses-ses"),
    ],
)
def test_a_name_is_made_of_its_parts(name, labels, subject, folder):
    assert labels == split_name(name)
    assert name == join_name(*labels)
    assert subject == subject_of(name)
    assert folder == folder_of(name)


@pytest.mark.parametrize("label", ["01_ses-pre", "sub-01_ses-pre", " 01_ses-pre "])
def test_labels_with_and_without_sub(label):
    assert unit_name(label) == "sub-01_ses-pre"
