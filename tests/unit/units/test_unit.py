"""Names of units."""

import pytest
from bidsloom.units.unit import unit_name


@pytest.mark.parametrize("label", ["01_ses-pre", "sub-01_ses-pre", " 01_ses-pre "])
def test_labels_with_and_without_sub(label):
    assert unit_name(label) == "sub-01_ses-pre"
