"""Which of a job's files the app cannot do without."""

from bidsloom.job.inputs import is_needed


def test_own_inherited_and_shared_files_are_needed():
    """A longer label is another subject; a file beside them may be missing."""
    assert is_needed("sub-1/anat/x.nii.gz", "sub-1")
    assert is_needed("task-rest_bold.json", "sub-1")
    assert not is_needed("sub-10/anat/x.nii.gz", "sub-1")
    assert not is_needed("stimuli/a.wav", "sub-1")
    assert is_needed("stimuli/a.wav", "sub-1", ["stimuli"])
    assert is_needed("sub-emptyroom/meg/x.fif", "sub-1", ["sub-emptyroom/meg/x.fif"])
    assert not is_needed("stimuli2/a.wav", "sub-1", ["stimuli"])
