"""A web server of tests: over TLS, for those who know a password, with faults on demand."""

from __future__ import annotations

import base64
import contextlib
import http.server
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trustme

AUTHORITY = trustme.CA()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, prints nothing."""

    def log_message(self, *args):
        pass


@dataclass
class WebServer:
    """Serves the files of a folder, and parts of files.

    `credential` (`user:password`) is what it asks for.  The next `cuts`
    answers of more than `cut_after` bytes end there.  `answers` has the path,
    the first byte and the number of bytes of each answer with content.
    """

    folder: Path
    credential: str = ""
    tls: bool = False
    port: int = 0
    cuts: int = 0
    cut_after: int = 0
    answers: list[tuple[str, int, int]] = field(default_factory=list)
    _server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def start(self) -> None:
        handler = partial(FileHandler, directory=str(self.folder))
        self._server = Server(("127.0.0.1", self.port), handler)
        self._server.web = self
        self.port = self._server.server_port
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            AUTHORITY.issue_cert("127.0.0.1", "localhost", common_name="127.0.0.1").configure_cert(
                context
            )
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections until the next start."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        self._server = None


class Server(http.server.ThreadingHTTPServer):
    """A server that says nothing of clients that go away."""

    web: WebServer
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class FileHandler(QuietHandler):
    """Answers for a `WebServer`."""

    def do_GET(self):
        self.answer(with_content=True)

    def do_HEAD(self):
        self.answer(with_content=False)

    def answer(self, *, with_content: bool) -> None:
        """Send a file, or what is left of it from the byte that the client names."""
        web = self.server.web
        said = self.headers.get("Authorization", "").removeprefix("Basic ")
        if web.credential and said != base64.b64encode(web.credential.encode()).decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="tests"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = min(int(asked[1]), len(content)) if asked else 0
        part = content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Type", "application/octet-stream")
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if not with_content:
            return
        if web.cuts and len(part) > web.cut_after:
            web.cuts -= 1
            part = part[: web.cut_after]
            self.close_connection = True
        web.answers.append((self.path, start, len(part)))
        self.wfile.write(part)


@contextlib.contextmanager
def serve(folder: Path, **options) -> Iterator[WebServer]:
    """A running `WebServer`."""
    server = WebServer(folder, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
