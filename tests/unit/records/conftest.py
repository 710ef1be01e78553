"""A study whose `results/` is empty."""

import pytest
from bidsloom.config import read_study
from helpers.old_config import OLD


@pytest.fixture
def study(tmp_path):
    """A study without any notes."""
    return read_study(OLD, base=tmp_path)
