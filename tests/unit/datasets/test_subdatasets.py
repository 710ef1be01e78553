"""Where subdatasets of an input come from, and how they are installed."""

import os

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.datasets.stores import git_address
from bidsloom.datasets.subdatasets import (
    Registry,
    Subdataset,
    candidate_urls,
    install,
    join_url,
    read_registry,
)
from helpers.studies import git

ID = "11112222-3333-4444-5555-666677778888"


@pytest.fixture
def source(tmp_path):
    """A repository with two commits."""
    root = tmp_path / "a source"
    root.mkdir()
    git("init", "-q", "-b", "main", cwd=root)
    for text in ("first", "second"):
        (root / "sub-01_T1w.json").write_text(text)
        git("add", "-A", cwd=root)
        git("commit", "-q", "-m", text, cwd=root)
    return root


@pytest.mark.parametrize(
    ("base", "relative", "wanted"),
    [
        ("/data/raw", "./sub-01", "/data/raw/sub-01"),
        ("/data/raw/", "../other/sub-01", "/data/other/sub-01"),
        ("/data/raw/.git", "./sub-01", "/data/raw/sub-01"),
        ("file:///data/raw", "./sub-01", "file:///data/raw/sub-01"),
        ("https://host/lab/raw", "../sub-01.git", "https://host/lab/sub-01.git"),
        ("ssh://me@host/~/raw", "./sub-01", "ssh://me@host/~/raw/sub-01"),
        ("me@host:lab/raw", "../sub-01", "me@host:lab/sub-01"),
        ("me@host:raw", "../sub-01", "me@host:sub-01"),
        ("/data/raw", "sub-01", "/data/raw/sub-01"),
    ],
)
def test_relative_urls_are_those_of_git(base, relative, wanted):
    """A URL in .gitmodules is relative to where the dataset itself comes from."""
    assert wanted == join_url(base, relative)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (f"ria+file:///data/a%20store#{ID}", f"/data/a store/111/{ID[3:]}"),
        ("ria+file:///data/store#~raw@1.0", "/data/store/alias/raw"),
        (f"ria+ssh://me@host/store#{ID}", f"ssh://me@host/store/111/{ID[3:]}"),
        ("ria+https://host/store/#~raw", "https://host/store/alias/raw"),
        ("https://host/raw.git", "https://host/raw.git"),
    ],
)
def test_git_reaches_a_ria_store(url, wanted):
    """A RIA URL names a folder of the store."""
    assert wanted == git_address(url)


def test_urls_are_tried_in_datalads_order():
    """DataLad's own candidates, the same store, .gitmodules, and the path in the superdataset."""
    module = {"path": "sub-01", "url": "../sub-01.git", "datalad-id": ID}
    assert ["/data/sub-01.git", "/data/raw/sub-01"] == candidate_urls("/data/raw", "sub-01", module)
    module["datalad-url"] = "ssh://host/one"
    found = candidate_urls(
        "ria+file:///store#~raw",
        "sub-01",
        module,
        ["ria+https://host/store#{id}", "https://{nowhere}/x", "/mirror/{path}"],
    )
    assert [
        f"ria+https://host/store#{ID}",
        "/mirror/sub-01",
        f"ria+file:///store#{ID}",
        "ssh://host/one",
        "/store/alias/sub-01.git",
        "/store/alias/raw/sub-01",
    ] == found


def test_a_dataset_with_a_work_tree_on_a_web_server_is_found():
    """Such a server has the repository in `.git`."""
    module = {"path": "sub-01", "url": "./sub-01"}
    assert [
        "https://host/raw/sub-01",
        "https://host/raw/sub-01/.git",
    ] == candidate_urls("https://host/raw/.git", "sub-01", module)


def test_a_dataset_that_gitmodules_does_not_name_has_no_url(source):
    """Neither has one of a dataset without .gitmodules."""
    registry = read_registry(source, "HEAD", url="/data/raw")
    assert Registry("/data/raw") == registry
    assert Subdataset("sub-01/ses-1", "abc", ()) == registry.locate("ses-1", "abc", outer="sub-01")


def test_settings_are_read_from_the_commit(source):
    """What lies in the work tree does not count; names with dots and blanks are kept."""
    text = '[submodule "a.b c"]\n\tpath = sub-01\n\turl = ./one\n\tdatalad-id = ' + ID
    (source / ".gitmodules").write_text(text)
    (source / ".datalad").mkdir()
    (source / ".datalad" / "config").write_text(
        '[datalad "get"]\n\tsubdataset-source-candidate-100store = /store/{id}\n'
    )
    git("add", "-A", cwd=source)
    git("commit", "-q", "-m", "x", cwd=source)
    (source / ".gitmodules").write_text("")
    found = read_registry(source, "HEAD", url="/data/raw").locate("sub-01", "abc")
    assert (f"/store/{ID}", "/data/raw/one", "/data/raw/sub-01") == found.urls


def test_credentials_in_gitmodules_are_in_no_url(monkeypatch):
    """Git gets them by its own mechanism, in this process' environment."""
    monkeypatch.setattr(os, "environ", {})
    modules = {"sub-01": {"path": "sub-01", "url": "https://me:secret@host/one.git"}}
    found = Registry("/data/raw", modules).locate("sub-01", "abc")
    assert "https://host/one.git" == found.urls[0]


def test_the_first_repository_with_the_commit_is_installed(source, tmp_path):
    """Without a work tree, at any commit that the source has, also one of no branch."""
    second = git("rev-parse", "HEAD", cwd=source)
    git("reset", "-q", "--hard", "HEAD^", cwd=source)
    empty = tmp_path / "empty"
    git("init", "-q", empty, cwd=tmp_path)
    (tmp_path / "raw" / "sub-01").mkdir(parents=True)
    urls = (str(tmp_path / "nowhere"), str(empty), f"file://{source}")
    part = Subdataset("sub-01", second, urls)
    assert f"file://{source}" == install(part, cwd=tmp_path / "raw", path="sub-01")
    place = tmp_path / "raw" / "sub-01"
    assert [".git"] == [path.name for path in place.iterdir()]
    assert "second" == git("show", f"{second}:sub-01_T1w.json", cwd=place)
    assert "true" == git("config", "annex.private", cwd=place)


def test_what_cannot_be_installed_is_named(source, tmp_path):
    """The path, each URL with git's words, and what to do."""
    (tmp_path / "raw").mkdir()
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(WorkflowFailure) as failed:
        install(Subdataset("sub-01", "1" * 40, (nowhere,)), cwd=tmp_path / "raw", path="sub-01")
    assert "sub-01 at 1111111111" in failed.value.message
    assert f"repository '{nowhere}' does not exist" in failed.value.message
    assert f"git clone '{nowhere}'" in failed.value.hint

    with pytest.raises(WorkflowFailure) as failed:
        part = Subdataset("sub-01", "1" * 40, (f"file://{source}",))
        install(part, cwd=tmp_path / "raw", path="sub-01")
    assert f"file://{source}: it does not have that commit" in failed.value.message
    assert "push that commit" in failed.value.hint

    with pytest.raises(WorkflowFailure) as failed:
        install(Subdataset("sub-01", "1" * 40, ()), cwd=tmp_path / "raw", path="sub-01")
    assert "not named in .gitmodules" in failed.value.message
