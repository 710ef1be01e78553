"""Serve the page at a Unix socket or a port, until it is interrupted."""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import secrets
import signal
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

import waitress

from ..base.errors import WorkflowFailure
from ..base.runners import node_name
from .access import Access
from .application import make_application
from .studies import Studies

THREADS = 8
BACKLOG = 64
# The port on the reader's own machine, in the line that is shown.
SHOWN_PORT = 8000
# A longer path does not fit into the address of a Unix socket.
LONGEST_PATH = 100


def serve(
    studies: Studies,
    *,
    environment: Mapping[str, str],
    port: int | None = None,
    path: Path | None = None,
    read_only: bool = False,
) -> None:
    """Serve studies at a port with a token, or without `port` at a Unix socket.

    Raises `WorkflowFailure` where that cannot be made.
    """
    access = Access(
        token=secrets.token_urlsafe(24) if port is not None else "", read_only=read_only
    )
    app = make_application(studies, access, environment=environment)
    if port is not None:
        listener = listen_at_port(port)
        number = listener.getsockname()[1]
        told = [
            f"The page is at http://127.0.0.1:{number}/?token={access.token}",
            "The address holds a token: whoever has it can do what you can.",
        ]
        if read_only:
            told[1] = "The address holds a token: whoever has it can look, and change nothing."
    else:
        path = path or default_path(studies)
        listener = listen_at_socket(path)
        told = [
            "On your own machine, type",
            f"    ssh -N -L {SHOWN_PORT}:{path} {getpass.getuser()}@{node_name()}",
            f"and open http://localhost:{SHOWN_PORT}/ in a browser.",
            "The socket is for you alone.",
        ]
    # Who connects from now on is answered once the server runs.
    listener.listen(BACKLOG)
    print("\n".join([*told, "Ctrl-C ends the page; what it started goes on."]), flush=True)
    logging.getLogger("waitress").setLevel(logging.ERROR)
    # With a handler: what is started here gets the default again, and Ctrl-C can stop it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        # Returns after KeyboardInterrupt.
        waitress.serve(app, sockets=[listener], threads=THREADS, ident=None, channel_timeout=60)
        print("The page has ended.", flush=True)
    finally:
        if path is not None:
            path.unlink(missing_ok=True)


def end(_number: int, _frame: object) -> None:
    """End the page on a signal."""
    raise KeyboardInterrupt


def listen_at_port(port: int) -> socket.socket:
    """A socket at a port of this machine alone; 0 takes a free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as e:
        listener.close()
        raise WorkflowFailure(
            f"Port {port} cannot be used: {e.strerror}.", hint="leave out its number: --port."
        ) from e
    return listener


def listen_at_socket(path: Path) -> socket.socket:
    """A Unix socket that only its owner can connect to."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise WorkflowFailure(
            f"{path} is too long for a socket.", hint="name a shorter one: --socket PATH."
        )
    remove_dead_socket(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # From its first moment on: chmod would come too late.
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as e:
        listener.close()
        raise WorkflowFailure(
            f"No socket can be made at {path}: {e.strerror}.",
            hint="name a path on a local disk of this machine: --socket PATH.",
        ) from e
    finally:
        os.umask(before)
    return listener


def remove_dead_socket(path: Path) -> None:
    """Remove the socket of a page that was killed; refuses where one answers."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise WorkflowFailure(f"{path} is there, and is no socket.", hint="name another one.")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError:
            return
    raise WorkflowFailure(
        f"A page is served already:\n    ssh -N -L {SHOWN_PORT}:{path} "
        f"{getpass.getuser()}@{node_name()}",
        hint="use that one, end it with Ctrl-C, or name another socket: --socket PATH.",
    )


def default_path(studies: Studies) -> Path:
    """Where the socket is: in a folder of this user's on this machine."""
    folder = own_folder() / "bidsloom"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    refuse_foreign(folder)
    known = studies.all()
    name = studies.root.name if studies.root else known[0].id if known else "page"
    return folder / f"{name[:30]}.sock"


def own_folder() -> Path:
    """The user's folder for such files (XDG_RUNTIME_DIR), or one in /tmp."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    if given:
        with contextlib.suppress(OSError, WorkflowFailure):
            refuse_foreign(Path(given))
            return Path(given)
    folder = Path("/tmp", f"bidsloom-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    refuse_foreign(folder)
    return folder


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder into which another user can write, or that leads elsewhere."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise WorkflowFailure(
            f"{folder} is not a folder of yours alone.",
            hint="name a path for the socket: --socket PATH.",
        )
