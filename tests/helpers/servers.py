"""Servers that tests start."""

from __future__ import annotations

import contextlib
import getpass
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from .waiting import wait_for
from .web import QuietHandler, serve


@contextlib.contextmanager
def serve_folder(folder: Path, *, credential: str = "") -> Iterator[str]:
    """URL under which the files of a folder can be fetched, by `user:password` if that is given."""
    with serve(folder, credential=credential) as server:
        yield server.url


@contextlib.contextmanager
def receive_posts() -> Iterator[tuple[str, list[dict]]]:
    """Address of a server that keeps the JSON that is posted to it, and what it got."""
    posts: list[dict] = []

    class Handler(QuietHandler):
        def do_POST(self):
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}", posts
        finally:
            server.shutdown()


SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@contextlib.contextmanager
def running_sshd(root: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """An ssh server with keys of its own below `root`.

    Its address (`ssh://user@127.0.0.1:port`), and the variables by which
    clients use its key and know it.  `PATH` of these stands for ~/.ssh/config,
    which DataLad reads alone; ssh takes it from the account, whatever HOME is.
    """
    root.mkdir(parents=True)
    for name in ("host", "client"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root / name], check=True
        )
    shutil.copy(root / "client.pub", root / "authorized")
    (root / "home").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tools = Path(sys.executable).parent
    (root / "sshd_config").write_text(
        f"""\
ListenAddress 127.0.0.1
Port {port}
HostKey "{root}/host"
AuthorizedKeysFile "{root}/authorized"
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
SetEnv "PATH={tools}:{os.environ["PATH"]}" "HOME={root}/home"
"""
    )
    public = (root / "host.pub").read_text().split()
    (root / "known").write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(
        [str(SSHD), "-D", "-e", "-f", root / "sshd_config"], stderr=(root / "log").open("w")
    )
    options = f"-o IdentitiesOnly=yes -o UserKnownHostsFile='{root}/known' -i '{root}/client'"
    try:
        wait_for(lambda: answers(port), 20, "the start of sshd")
        client = root / "bin" / "ssh"
        client.parent.mkdir()
        client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n')
        client.chmod(0o755)
        variables = {"GIT_SSH_COMMAND": f"ssh {options}"}
        variables["PATH"] = f"{client.parent}{os.pathsep}{os.environ['PATH']}"
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}", variables
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
