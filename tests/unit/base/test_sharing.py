"""The repository of a group, and folders of other users that git trusts."""

import os
import stat

import pytest
from bidsloom.base.git_settings import isolate, parse_settings, trust
from bidsloom.base.runners import call, call_git
from bidsloom.base.sharing import is_shared, join_group, share_repository


@pytest.fixture
def repository(tmp_path):
    """A bare repository that its owner alone can write to."""
    call_git(["init", "-q", "--bare", str(tmp_path / "store.git")], cwd=tmp_path)
    return tmp_path / "store.git"


@pytest.mark.parametrize(
    ("value", "shared"),
    [("group", True), ("0660", True), ("1", True), ("all", True), ("umask", False), ("0", False)],
)
def test_what_is_shared(repository, value, shared):
    assert not is_shared(repository)
    assert not is_shared(repository / "absent")
    call_git(["config", "core.sharedRepository", value], cwd=repository)
    assert shared is is_shared(repository)


def test_a_repository_becomes_the_groups(repository):
    """Its folders are the group's, with all that is made in them; objects stay as they are."""
    commit = "printf 'x' | git hash-object -w --stdin"
    call(["sh", "-c", commit], cwd=repository)
    (blob,) = (repository / "objects").glob("*/" + "?" * 38)
    before = blob.stat().st_mode
    share_repository(repository)
    assert is_shared(repository)
    for folder, _, names in os.walk(repository):
        assert (stat.S_ISGID | 0o770) == os.stat(folder).st_mode & (stat.S_ISGID | 0o770), folder
        if "objects" not in folder:
            assert all(os.stat(os.path.join(folder, name)).st_mode & 0o060 for name in names)
    assert before == blob.stat().st_mode


@pytest.mark.parametrize(("before", "after"), [(0o022, 0o002), (0o077, 0o007), (0o002, 0o002)])
def test_a_member_opens_what_it_makes_to_the_group(repository, before, after):
    kept = os.umask(before)
    try:
        join_group(repository)
        assert after == os.umask(before)
    finally:
        os.umask(kept)


def test_trusted_folders_are_in_a_file(tmp_path, monkeypatch):
    """Git clears variables for the git that it starts in another repository."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    folders = ['/a "b" \\c', "/d é", "*"]
    isolate(environment, [("user.name", "N"), *(("safe.directory", f) for f in folders)])
    listed = ["git", "config", "--list", "--show-scope", "--null"]
    found = list(parse_settings(call(listed, cwd=tmp_path, env=environment).decode()))
    assert folders == [value for name, value in found if name == "safe.directory"]
    assert ("user.name", "N") in found
    before = environment["GIT_CONFIG_GLOBAL"]
    trust(environment, ["/d é"])
    assert before == environment["GIT_CONFIG_GLOBAL"]
    trust(environment, ["/e"])
    found = list(parse_settings(call(listed, cwd=tmp_path, env=environment).decode()))
    assert [*folders, "/e"] == [value for name, value in found if name == "safe.directory"]


def test_without_a_home_trusted_folders_are_in_a_temporary_file(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    environment = {}
    isolate(environment, [("safe.directory", "/a")])
    text = call_git(["config", "--file", environment["GIT_CONFIG_GLOBAL"], "--list"], cwd=tmp_path)
    assert "safe.directory=/a" == text
