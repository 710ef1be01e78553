"""An annex on a web server that could not be read at first."""

import pytest
from bidsloom.base.runners import call_annex, call_git
from bidsloom.datasets.web_remotes import list_unread, look_again
from bidsloom.job.inputs import describe_places
from helpers.web import serve


@pytest.fixture
def server(tmp_path):
    """A dataset with one annexed file, for everybody."""
    dataset = tmp_path / "served"
    call_git(["init", "-q", str(dataset)], cwd=tmp_path)
    call_annex(["init", "-q"], cwd=dataset)
    (dataset / "image").write_bytes(b"voxels")
    call_annex(["add", "-q", "image"], cwd=dataset)
    call_git(["commit", "-q", "-m", "data"], cwd=dataset)
    call_git(["update-server-info"], cwd=dataset)
    with serve(tmp_path) as found:
        yield found


def test_server_that_refused_once_is_asked_again(server, tmp_path):
    """What git-annex remembers of it is forgotten once it answers; until then, why it does not."""
    clone = tmp_path / "clone"
    call_git(["clone", "-q", f"{server.url}/served/.git", str(clone)], cwd=tmp_path)
    server.credential = "jane:secret"
    call_annex(["init", "-q"], cwd=clone)
    assert ["origin"] == list_unread(clone)
    assert {"origin": "user error"} == {n: s[:10] for n, s in look_again(clone).items()}
    server.stop()
    assert "Connection refused" in look_again(clone)["origin"]
    server.credential = ""
    server.start()
    assert {} == look_again(clone)
    assert [] == list_unread(clone)
    call_annex(["get", "-q", "image"], cwd=clone)


def test_error_message_has_the_servers_answer(server, tmp_path):
    """Not only that there is a copy somewhere."""
    clone = tmp_path / "clone"
    call_git(["clone", "-q", f"{server.url}/served/.git", str(clone)], cwd=tmp_path)
    call_annex(["init", "-q"], cwd=clone)
    server.stop()
    assert "Connection refused" in describe_places(clone, ["image"])
