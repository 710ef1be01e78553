"""A WebDAV server of the tests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class DavServer:
    """Files of a folder by WebDAV, for one user; `puts` are the paths of what was sent."""

    folder: Path
    port: int = 0
    user: str = "lab"
    password: str = "marked-secret-5772"
    puts: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        return {"WEBDAV_USERNAME": self.user, "WEBDAV_PASSWORD": self.password}


@contextlib.contextmanager
def serve_dav(folder: Path) -> Iterator[DavServer]:
    """A running server."""
    from cheroot import wsgi
    from wsgidav.wsgidav_app import WsgiDAVApp

    found = DavServer(folder)
    users = {found.user: {"password": found.password}}
    app = WsgiDAVApp(
        {
            "provider_mapping": {"/": str(folder)},
            "simple_dc": {"user_mapping": {"*": users}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False},
            "verbose": 0,
            "logging": {"enable": False},
        }
    )

    def counting(environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT":
            found.puts.append(environ["PATH_INFO"])
        return app(environ, start_response)

    server = wsgi.Server(("127.0.0.1", 0), counting)
    server.prepare()
    found.port = server.bind_addr[1]
    threading.Thread(target=server.serve, daemon=True).start()
    try:
        yield found
    finally:
        server.stop()
