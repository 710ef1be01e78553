"""Checks of the machine."""

from types import SimpleNamespace

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.checks.findings import Caution
from bidsloom.checks.lock_file import check_lock, leave_lock_token
from bidsloom.checks.machine import check_account, check_scratch, check_tools, check_work_dir
from bidsloom.containers.runtimes import Runtime


@pytest.fixture
def git_of_version(tmp_path, monkeypatch):
    """Put a git of some version first on PATH."""

    def place(version):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "git").write_text(f"#!/bin/sh\necho git version {version}\n")
        (folder / "git").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")

    return place


@pytest.mark.parametrize("version", ["2.30.9", "1.99.1"])
def test_old_git_is_refused_at_every_start(git_of_version, version):
    """Older ones would ignore the settings that every command gets."""
    git_of_version(version)
    with pytest.raises(WorkflowFailure, match=f"git {version} is too old"):
        check_tools()


@pytest.mark.parametrize("version", ["2.31.0", "2.100.windows.1", "3.0"])
def test_newer_git_is_accepted(git_of_version, version):
    git_of_version(version)
    assert check_tools() is None


def test_scratch_folder_must_exist(tmp_path):
    check_work_dir(tmp_path)
    with pytest.raises(WorkflowFailure, match="does not exist"):
        check_work_dir(tmp_path / "absent")


def test_scratch_folder_needs_space_for_the_largest_unit(tmp_path):
    study = SimpleNamespace(work_dir=tmp_path)
    small, huge = (SimpleNamespace(name=f"sub-{n}", bytes=n) for n in (1, 2**60))
    check_scratch(study, SimpleNamespace(units=[small]))
    with pytest.raises(WorkflowFailure, match=f"the inputs of {huge.name} alone"):
        check_scratch(study, SimpleNamespace(units=[small, huge]))


def test_lock_file_of_another_folder_is_refused(tmp_path):
    """A node that sees another folder by the same name has another token, or none."""
    study = SimpleNamespace(name="mine", lock_file=tmp_path / "lock")
    token = leave_lock_token(study)
    check_lock(study, token)
    with pytest.raises(WorkflowFailure, match="is not the same file"):
        check_lock(study, "of another folder")
    assert leave_lock_token(SimpleNamespace(name="mine", lock_file=None)) is None


@pytest.mark.parametrize("runtime", [*Runtime, None])
def test_root_is_warned(monkeypatch, runtime):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(Caution, match="You are root: "):
        check_account(runtime)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert check_account(runtime) is None
