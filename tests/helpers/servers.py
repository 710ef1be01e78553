"""Servers that tests start."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, prints nothing."""

    def log_message(self, *args):
        pass


class LockedHandler(QuietHandler):
    """Serves files to those who name a user and a password."""

    wanted = ""

    def send_head(self):
        """Refuse whoever does not say `wanted`, as basic authentication encodes it."""
        said = self.headers.get("Authorization", "").removeprefix("Basic ")
        if said == base64.b64encode(self.wanted.encode()).decode():
            return super().send_head()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="tests"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None


@contextlib.contextmanager
def serve_folder(folder: Path, *, credential: str = "") -> Iterator[str]:
    """URL under which the files of a folder can be fetched, by `user:password` if that is given."""
    kind = type("Handler", (LockedHandler,), {"wanted": credential}) if credential else QuietHandler
    handler = partial(kind, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


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
