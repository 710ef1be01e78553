"""What a commit of a subdataset holds, read without its content."""

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.datasets.subdataset_trees import (
    fetch_commit,
    list_entries,
    read_tree,
    read_tree_at,
    read_trees,
)
from bidsloom.datasets.subdatasets import Subdataset
from helpers.servers import serve_folder
from helpers.studies import git

MODULES = '[submodule "x"]\n\tpath = ses-1\n\turl = ./one\n'
KEY = "MD5E-s123456--0123456789abcdef0123456789abcdef.nii.gz"


@pytest.fixture
def source(tmp_path):
    """A repository with an annexed file, a text, a large file, and a subdataset."""
    root = tmp_path / "a source"
    (root / "anat").mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=root)
    (root / "anat" / "sub-01_T1w.nii.gz").symlink_to(f"../.git/annex/objects/a/b/{KEY}/{KEY}")
    (root / "anat" / "sub-01_T1w.json").write_text("{}")
    (root / "large.bin").write_bytes(bytes(range(256)) * 4000)
    (root / ".gitmodules").write_text(MODULES)
    git("add", "-A", cwd=root)
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},ses-1", cwd=root)
    git("commit", "-q", "-m", "x", cwd=root)
    return root


def head(repository) -> str:
    return git("rev-parse", "HEAD", cwd=repository)


def names(tree) -> dict[str, int]:
    """Path -> size of a tree's files."""
    return {entry.path: entry.size for entry in tree.entries if entry.mode != "040000"}


def wanted(large: int) -> dict[str, int]:
    """The files of the source; a large one may have a size that nobody knows."""
    files = {"anat/sub-01_T1w.json": 2, "anat/sub-01_T1w.nii.gz": 123456, "ses-1": 0}
    return {**files, ".gitmodules": len(MODULES), "large.bin": large}


def test_a_mounted_dataset_is_read_where_it_lies(source, tmp_path):
    """By its work tree, as a bare repository, by file:// and where a `.git` file leads."""
    bare, linked = tmp_path / "bare", tmp_path / "linked"
    git("clone", "-q", "--bare", source, bare, cwd=tmp_path)
    git("init", "-q", "--separate-git-dir", tmp_path / "apart", linked, cwd=tmp_path)
    git("pull", "-q", source, "main", cwd=linked)
    for url in (str(source), str(bare), f"file://{bare}", str(linked)):
        tree = read_tree_at(url, head(source), memory=None)
        assert wanted(1_024_000) == names(tree)
        assert url == tree.registry.url
        assert {"ses-1"} == set(tree.registry.modules)


def test_a_folder_inside_of_a_repository_is_none(source, tmp_path):
    """An uninstalled subdataset leaves an empty folder, whose outer repository is another one."""
    (source / "ses-1").mkdir()
    part = Subdataset("ses-1", head(source), (str(source / "ses-1"),))
    with pytest.raises(WorkflowFailure, match="ses-1 is not a git repository"):
        read_tree(part, memory=None)


def test_one_commit_is_fetched_without_large_files(source, tmp_path):
    """From a server that knows how; a commit of no branch too."""
    git("config", "uploadpack.allowFilter", "true", cwd=source)
    commit = head(source)
    (source / "more").write_text("more")
    git("add", "more", cwd=source)
    git("commit", "-q", "-m", "later", cwd=source)
    place = tmp_path / "place"
    place.mkdir()
    fetch_commit(place, f"file://{source}", commit)
    # Nothing is fetched to learn a size, either.
    git("config", "uploadpack.allowFilter", "false", cwd=source)
    assert wanted(0) == {e.path: e.size for e in list_entries(place, commit) if e.mode != "040000"}


def test_a_server_that_only_has_files_is_read(source, tmp_path):
    """Such a server sends all of a repository."""
    git("update-server-info", cwd=source)
    with serve_folder(tmp_path) as url:
        tree = read_tree_at(f"{url}/a%20source/.git", head(source), memory=None)
    assert wanted(1_024_000) == names(tree)


def test_a_commit_is_read_once(source, tmp_path):
    """Another time its repository is not needed; what failed is tried again."""
    memory = tmp_path / "memory"
    there = Subdataset("sub-01", head(source), (str(tmp_path / "no"), str(source)))
    lost = Subdataset("sub-02", "2" * 40, (str(source),))
    first = read_trees([there, lost], memory=memory)
    assert isinstance(first["sub-02"], WorkflowFailure)
    assert "does not have that commit" in first["sub-02"].message
    source.rename(tmp_path / "away")
    second = read_trees([there, lost], memory=memory)
    assert first["sub-01"] == second["sub-01"]
    assert f"{source} does not exist" in second["sub-02"].message
