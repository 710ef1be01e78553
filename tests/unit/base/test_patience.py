"""Waiting for servers that are away, with real git, git-annex and web servers."""

import threading
import time
from pathlib import Path

import pytest
from bidsloom.base.errors import CommandError, WorkflowFailure
from bidsloom.base.patience import is_away, outlast, patient
from bidsloom.base.runners import call_annex, call_git
from bidsloom.datasets.stores import list_remote_heads, store_at
from helpers.web import serve

SIZE = 300_000


@pytest.fixture
def server(tmp_path):
    """A dataset on a web server, and `clone` beside it, without content."""
    dataset, clone = tmp_path / "served", tmp_path / "clone"
    call_git(["init", "-q", str(dataset)], cwd=tmp_path)
    call_annex(["init", "-q"], cwd=dataset)
    (dataset / "image").write_bytes(b"voxels" * (SIZE // 6))
    call_annex(["add", "-q", "image"], cwd=dataset)
    call_git(["commit", "-q", "-m", "data"], cwd=dataset)
    call_git(["update-server-info"], cwd=dataset)
    with serve(tmp_path) as found:
        call_git(["clone", "-q", f"{found.url}/served/.git", str(clone)], cwd=tmp_path)
        call_annex(["init", "-q"], cwd=clone)
        found.answers.clear()
        yield found


def get_image(tmp_path: Path) -> str:
    return call_annex(["get", "-q", "image"], cwd=tmp_path / "clone")


def test_cut_transfers_go_on_where_they_were_cut(server, tmp_path):
    """No byte is sent twice, also where the server is gone for a while in between."""
    server.cuts, server.cut_after = 3, SIZE // 5
    back = threading.Timer(4, server.start)
    stop = server.stop

    def leave_after_first_cut():
        while not server.answers:
            time.sleep(0.01)
        stop()
        back.start()

    threading.Thread(target=leave_after_first_cut, daemon=True).start()
    with patient(minutes=2):
        outlast(lambda: get_image(tmp_path))
    back.join()
    assert SIZE == (tmp_path / "clone" / "image").stat().st_size
    assert SIZE == sum(sent for path, _, sent in server.answers)


def test_server_that_stays_away_is_given_up(server, tmp_path):
    """After the time that the study allows, with the server's own words; at once without."""
    server.stop()
    for minutes, least in ((0, 0), (0.05, 3)):
        start = time.monotonic()
        with patient(minutes), pytest.raises(CommandError, match="Connection refused"):
            outlast(lambda: get_image(tmp_path))
        assert least <= time.monotonic() - start < least + 20


def test_store_that_comes_back_is_read(server, tmp_path):
    """The branches of a store are listed once it answers again."""
    store = store_at(f"{server.url}/served/.git", name="study")
    server.stop()
    with pytest.raises(WorkflowFailure, match="cannot be read"):
        list_remote_heads(store)
    threading.Timer(3, server.start).start()
    with patient(minutes=2):
        assert list_remote_heads(store)


@pytest.mark.parametrize(
    "said",
    [
        "ssh: connect to host example.org port 22: Connection refused",
        "fatal: unable to access 'https://x/': Could not resolve host: x",
        "fatal: unable to access 'https://x/': The requested URL returned error: 503",
        "kex_exchange_identification: Connection closed by remote host",
        "client_loop: send disconnect: Broken pipe",
        "HttpExceptionRequest ... ConnectionTimeout",
        "fetch-pack: unexpected disconnect while reading sideband packet",
    ],
)
def test_servers_that_are_away_are_known_by_their_words(said):
    assert is_away(f"something before\n{said}\nget: 1 failed")


@pytest.mark.parametrize(
    "said",
    [
        "fatal: '/data/x.git' does not appear to be a git repository",
        "git@host: Permission denied (publickey).\nConnection closed by 1.2.3.4",
        "download failed: Unauthorized",
        "download failed: Not Found",
        "not available; no other repository is known to contain the file.",
    ],
)
def test_what_waiting_does_not_mend_is_said_at_once(said):
    assert not is_away(said)
