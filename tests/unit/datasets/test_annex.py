"""What keys of git-annex say."""

import pytest
from bidsloom.datasets.annex import key_size


@pytest.mark.parametrize(
    ("key", "size"),
    [("MD5E-s12--x.nii", 12), ("SHA256-s0--x", 0), ("URL--http://x", 0), ("XDLRA-s5-m1--x", 5)],
)
def test_key_size(key, size):
    assert size == key_size(key)
