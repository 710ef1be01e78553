"""What a run record names as the outputs of a unit."""

from bidsloom.job.run_app import narrow
from helpers.units import unit


def test_narrow_names_what_belongs_to_the_unit():
    """Folders of the unit stand for their files; a longer label is another unit."""
    paths = [
        "out/sub-1/a",
        "out/sub-1/b/c",
        "out/sub-1.html",
        "out/x.json",
        "out/fs/sub-1/m",
        "out/sub-11/a",
    ]
    wanted = ["out/fs/sub-1", "out/sub-1", "out/sub-1.html", "out/sub-11/a", "out/x.json"]
    assert wanted == narrow(paths, unit("sub-1"))


def test_narrow_keeps_sessions_apart():
    paths = ["out/sub-1/ses-a/x", "out/sub-1/ses-a/y", "out/sub-1/anat/z", "ses-a/sub-1/anat/z"]
    wanted = ["out/sub-1/anat/z", "out/sub-1/ses-a", "ses-a/sub-1"]
    assert narrow(paths, unit("sub-1_ses-a")) == wanted
