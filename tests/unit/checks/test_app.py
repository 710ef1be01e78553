"""The version of an app, by what it answers."""

import pytest
from bidsloom.checks.app import version_in


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("fMRIPrep v25.1.4", "25.1.4"),
        ("imagestats 1.0.0\n", "1.0.0"),
        ("mriqc v24.0.2.dev3+g1234", "24.0.2.dev3+g1234"),
        ("24.0.2", "24.0.2"),
        ("qsiprep version 1.0, built today", "1.0"),
        ("freesurfer-linux-ubuntu22_x86_64-7.4.1-20230614", ""),
        ("usage: app [-h]", ""),
        ("", ""),
    ],
)
def test_version_is_the_first_word_with_a_number_first(answer, version):
    """Without the name of the app, and without a leading v."""
    assert version == version_in(answer)
