"""Archives of what a unit wrote: complete, and the same bytes every time."""

import os
import zipfile

import pytest
from helpers.studies import git
from pack_outputs import new_folders, pack


@pytest.fixture
def folder(tmp_path):
    """What an app may leave: files, links, a program, an empty folder, odd names."""
    root = tmp_path / "sub-01"
    (root / "anat" / "empty").mkdir(parents=True)
    (root / "anat" / "b ä.nii.gz").write_bytes(os.urandom(10000))
    (root / "anat" / "link").symlink_to("b ä.nii.gz")
    (root / "a.sh").write_text("exit")
    (root / "a.sh").chmod(0o755)
    return root


def test_archive_holds_everything(folder, tmp_path):
    pack(folder, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert [
            "a.sh",
            "anat/",
            "anat/b ä.nii.gz",
            "anat/empty/",
            "anat/link",
        ] == archive.namelist()
        content = (folder / "anat" / "b ä.nii.gz").read_bytes()
        assert content == archive.read("anat/b ä.nii.gz")
        assert b"b \xc3\xa4.nii.gz" == archive.read("anat/link")
        modes = [oct(info.external_attr >> 16) for info in archive.infolist()]
    assert ["0o100755", "0o40755", "0o100644", "0o40755", "0o120777"] == modes


def test_same_bytes_whenever_and_by_whomever(folder, tmp_path):
    """Times, owners' rights and the order of creation do not matter."""
    pack(folder, tmp_path / "one.zip")
    os.utime(folder / "a.sh", (0, 0))
    (folder / "anat" / "b ä.nii.gz").chmod(0o600)
    copy = folder.with_name("copy")
    folder.rename(copy)
    pack(copy, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    (copy / "a.sh").chmod(0o644)
    pack(copy, tmp_path / "three.zip")
    assert (tmp_path / "one.zip").read_bytes() != (tmp_path / "three.zip").read_bytes()


def test_only_new_folders_are_packed(tmp_path):
    """What is committed already, and what is empty, stays as it is."""
    git("init", "-q", cwd=tmp_path)
    for name in ("old", "new", "empty", ".git/x"):
        (tmp_path / "out" / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / "out" / "old" / "f").touch()
    git("add", "-A", cwd=tmp_path)
    (tmp_path / "out" / "new" / "f").touch()
    (tmp_path / "out" / "file").touch()
    assert [tmp_path / "out" / "new"] == new_folders(tmp_path / "out")
    assert [] == new_folders(tmp_path / "absent")
