"""Full disks: recognised by what programs say, and by what is left."""

import errno

import pytest
from bidsloom.base.errors import CommandError, FailureClass, WorkflowFailure
from bidsloom.base.space import free_space, full_folder, says_full, space_needed


def command_error(text):
    return CommandError(["git"], "/", 128, text)


@pytest.mark.parametrize(
    "error",
    [
        command_error("fatal: write error: No space left on device"),
        command_error("get x failed: not enough free space, need 6.1 MB more"),
        command_error("Disk quota exceeded"),
        OSError(errno.ENOSPC, "full"),
        OSError(errno.EDQUOT, "full"),
    ],
)
def test_full_disk_is_recognised_also_behind_another_failure(error, tmp_path):
    assert says_full(error)
    here = tmp_path / "here"
    told = pytest.raises(WorkflowFailure, match=r"The merge failed: no space is left in .*here")
    with told, space_needed("The merge", [here]):
        raise WorkflowFailure("main cannot be published") from error


def test_class_is_no_space(tmp_path):
    with pytest.raises(WorkflowFailure) as failed, space_needed("It", [tmp_path]):
        raise OSError(errno.ENOSPC, "full")
    assert FailureClass.NO_SPACE == failed.value.failure_class


def test_other_failures_stay_as_they_are(tmp_path):
    assert full_folder(command_error("not a repository"), [tmp_path]) is None
    with pytest.raises(CommandError, match="not a repository"), space_needed("It", [tmp_path]):
        raise command_error("not a repository")


def test_space_of_a_folder_that_is_still_to_be_made(tmp_path):
    assert free_space(tmp_path / "a" / "b") > 0
