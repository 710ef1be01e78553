"""Annexed files, read from git alone."""

import pytest
from bidsloom.base.runners import call_annex, call_git
from bidsloom.datasets.annex import (
    annex_branch,
    annexed_keys,
    holds_object,
    is_annexed,
    key_size,
    object_path,
    read_file,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A repository with a link, an unlocked file, and two files in git."""
    root = tmp_path_factory.mktemp("a dataset")
    call_git(["init", "-q"], cwd=root)
    call_annex(["init", "-q"], cwd=root)
    (root / "sub-01").mkdir()
    (root / "sub-01" / "locked.dat").write_bytes(b"locked")
    (root / "unlocked.dat").write_bytes(b"not locked")
    call_annex(["add", "-q", "--force-large", "."], cwd=root)
    call_annex(["unlock", "-q", "unlocked.dat"], cwd=root)
    (root / "text").write_text("in git")
    (root / "link").symlink_to("text")
    call_git(["-c", "annex.largefiles=nothing", "add", "text", "link"], cwd=root)
    call_git(["commit", "-q", "-m", "x"], cwd=root)
    return root


def test_keys_are_those_of_links_and_of_unlocked_files(dataset):
    keys = annexed_keys(dataset, "HEAD", ["."])
    assert [6, 10] == sorted(key_size(key) for key in keys)
    assert [6] == [key_size(key) for key in annexed_keys(dataset, "HEAD", ["sub-01"])]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("sub-01/locked.dat", b"locked"),
        ("unlocked.dat", b"not locked"),
        ("text", b"in git"),
        ("sub-01", None),
        ("absent", None),
    ],
)
def test_file_is_read_wherever_its_content_is(dataset, path, content):
    assert content == read_file(dataset, "HEAD", path)


def test_repository_without_git_annex_is_not_annexed(dataset, tmp_path):
    call_git(["init", "-q"], cwd=tmp_path)
    assert annex_branch(tmp_path) is None and not is_annexed(tmp_path)
    assert is_annexed(dataset)


@pytest.mark.parametrize(
    ("key", "size"),
    [
        ("MD5E-s13--8ddd8be4b179a529afa5f2ffae4b9858.txt", 13),
        ("SHA256E-s7-m100--aa.nii.gz", 7),
        ("SHA256E-m100-s7--aa", 7),
        ("URL--https&c%%example.org%a-s5--b", 0),
    ],
)
def test_size_comes_from_the_key(key, size):
    assert size == key_size(key)


def test_object_of_unknown_size_counts_when_it_is_there(tmp_path):
    key = "URL--https&c%%example.org%a"
    assert not holds_object(tmp_path, key)
    object_path(tmp_path, key).parent.mkdir(parents=True)
    object_path(tmp_path, key).write_bytes(b"some")
    assert holds_object(tmp_path, key)


@pytest.mark.parametrize(
    ("key", "size"),
    [("MD5E-s12--x.nii", 12), ("SHA256-s0--x", 0), ("URL--http://x", 0), ("XDLRA-s5-m1--x", 5)],
)
def test_key_size(key, size):
    assert size == key_size(key)
