"""Times and sizes as users write them."""

import pytest
from bidsloom.config.values import parse_memory, parse_time


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("24:00:00", 1440),
        ("1-12:00:00", 2160),
        ("1-12:30", 2190),
        ("90:00", 90),
        ("90min", 90),
        ("00:00:30", 1),
        ("2h", 120),
    ],
)
def test_time_in_minutes(text, minutes):
    assert minutes == parse_time(text)


@pytest.mark.parametrize(
    ("text", "mb"), [("32G", 32768), ("512M", 512), (4000, 4000), ("1.5G", 1536), ("1T", 2**20)]
)
def test_memory_in_megabytes(text, mb):
    assert mb == parse_memory(text)
