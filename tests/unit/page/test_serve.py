"""Where the page listens."""

import socket
import stat
from pathlib import Path

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.page.serve import default_path, listen_at_port, listen_at_socket, refuse_foreign
from bidsloom.page.studies import Studies


def test_the_socket_is_its_owners_from_the_start(tmp_path, monkeypatch):
    """Also with a umask that lets everybody in."""
    import os

    seen = []
    bind = socket.socket.bind

    def bind_and_look(self, address):
        bind(self, address)
        seen.append(stat.S_IMODE(Path(address).stat().st_mode))

    monkeypatch.setattr(socket.socket, "bind", bind_and_look)
    before = os.umask(0)
    try:
        listen_at_socket(tmp_path / "s").close()
    finally:
        os.umask(before)
    assert [0o600] == seen


def test_a_dead_socket_is_replaced_and_a_living_one_is_not(tmp_path):
    """Nor is a file that is no socket."""
    dead = listen_at_socket(tmp_path / "s")
    dead.close()
    living = listen_at_socket(tmp_path / "s")
    living.listen()
    with pytest.raises(WorkflowFailure, match=r"served already:\n    ssh -N -L"):
        listen_at_socket(tmp_path / "s")
    living.close()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(WorkflowFailure, match="is no socket"):
        listen_at_socket(tmp_path / "file")
    assert "mine" == (tmp_path / "file").read_text()


@pytest.mark.parametrize("path", ["no/such/folder", "x" * 150])
def test_where_no_socket_can_be_made_another_path_is_asked_for(tmp_path, path):
    with pytest.raises(WorkflowFailure, match="--socket PATH"):
        listen_at_socket(tmp_path / path)


def test_a_port_is_this_machines_alone():
    with listen_at_port(0) as listener:
        host, port = listener.getsockname()
        assert "127.0.0.1" == host
        with pytest.raises(WorkflowFailure, match=f"Port {port} cannot be used"):
            listener.listen()
            listen_at_port(port)


def test_a_folder_that_others_can_write_to_is_refused(tmp_path, monkeypatch):
    """The socket is in the user's own folder, one that leads elsewhere is refused."""
    (tmp_path / "study" / "config").mkdir(parents=True)
    (tmp_path / "study" / "config" / "config.yaml").touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    assert tmp_path / "bidsloom" / "study.sock" == default_path(Studies(root=tmp_path / "study"))
    (tmp_path / "bidsloom").chmod(0o777)
    with pytest.raises(WorkflowFailure, match="not a folder of yours alone"):
        default_path(Studies(root=tmp_path / "study"))
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(WorkflowFailure, match="not a folder of yours alone"):
        refuse_foreign(tmp_path / "link")
