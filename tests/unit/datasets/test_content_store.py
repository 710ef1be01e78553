"""The special remote that holds the content of results, with a real server."""

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.base.runners import call_annex, call_git
from bidsloom.datasets.content_store import check_credentials, connect_content
from bidsloom.datasets.stores import Store, StoreKind, missing_keys, store_uuid
from helpers.buckets import KEYS, serve_buckets


@pytest.fixture(scope="module")
def buckets():
    with serve_buckets() as found:
        found.make("results")
        yield found


def make_dataset(root):
    """A dataset with one annexed file, and its key."""
    call_git(["init", "-q", str(root)], cwd=root.parent)
    call_annex(["init", "-q"], cwd=root)
    (root / "image").write_bytes(b"voxels")
    call_annex(["add", "-q", "image"], cwd=root)
    call_git(["commit", "-q", "-m", "data"], cwd=root)
    return call_annex(["lookupkey", "image"], cwd=root)


def store_in(parameters):
    content = tuple((key, value) for key, value in parameters.items() if key != "encryption")
    return Store("https://git.example.org/lab/results", StoreKind.OTHER, None, content=content)


@pytest.fixture
def keys(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def test_a_store_that_a_dead_run_made_is_made_again(buckets, keys, tmp_path):
    """With the same UUID, which the bucket knows; no credential stays in the dataset."""
    store = store_in(buckets.parameters("results", fileprefix="one/"))
    uuids = set()
    for name in ("first", "second"):
        dataset = tmp_path / name
        key = make_dataset(dataset)
        connect_content(store, dataset)
        connect_content(store, dataset)
        assert ({key} if name == "first" else set()) == missing_keys(store, [key], dataset=dataset)
        call_annex(["copy", "-q", "image", "--to", store.content_remote], cwd=dataset)
        assert set() == missing_keys(store, [key], dataset=dataset)
        uuids.add(store_uuid(store, dataset))
        secret = KEYS["AWS_SECRET_ACCESS_KEY"].encode()
        files = (path for path in (dataset / ".git").rglob("*") if path.is_file())
        assert [] == [path for path in files if secret in path.read_bytes()]
    assert 1 == len(uuids)
    assert {"one/annex-uuid", f"one/{key}"} == set(buckets.names("results"))


def test_a_bucket_that_is_missing_is_named_with_what_to_do(buckets, keys, tmp_path):
    make_dataset(tmp_path / "dataset")
    with pytest.raises(WorkflowFailure, match="Hint: make the bucket"):
        connect_content(store_in(buckets.parameters("absent")), tmp_path / "dataset")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"type": "S3"}, "AWS_ACCESS_KEY_ID is not set"),
        ({"type": "webdav"}, "WEBDAV_USERNAME is not set"),
        ({"type": "rclone"}, "the program rclone was not found"),
    ],
)
def test_what_a_machine_lacks_is_said(content, words, monkeypatch, tmp_path):
    """Before any job: a program, or the variables with credentials."""
    for name in (*KEYS, "WEBDAV_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkflowFailure, match=words):
        check_credentials(store_in(content))
