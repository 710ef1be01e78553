"""The live page, served by a process of its own as people start it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .studies import REPOSITORY
from .waiting import limit, wait_for

SCRIPT = REPOSITORY / "workflow" / "scripts" / "page.py"


class SocketConnection(http.client.HTTPConnection):
    """HTTP by way of a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=limit(60))
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class LivePage:
    """A page that is served; at a port unless `socket` says where."""

    def __init__(
        self,
        root: Path,
        *arguments: object,
        socket: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.socket = socket
        where = ["--socket", socket] if socket else ["--port"]
        self._said = root / "page.out"
        with self._said.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), *map(str, [*arguments, *where])],
                cwd=root, env={**os.environ, **(env or {})},
                stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        wait_for(lambda: "Ctrl-C" in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", self.said())
        self.port, self.token = (int(found[1]), found[2]) if found else (0, "")
        self.csrf = self.get("/api/v1/session")["csrf"]

    @property
    def url(self) -> str:
        """The address that the terminal shows."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def said(self) -> str:
        """What the terminal shows."""
        return self._said.read_text()

    def ask(
        self, method: str, path: str, value: Any = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Code, headers and content of an answer."""
        connection: http.client.HTTPConnection
        if self.socket:
            connection = SocketConnection(self.socket)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit(60))
            headers = {"Authorization": f"Bearer {self.token}", **headers}
        body = None if value is None else json.dumps(value)
        if method != "GET":
            headers = {"X-CSRF-Token": self.csrf, "Content-Type": "application/json", **headers}
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        told = answer.status, answer.headers, answer.read()
        connection.close()
        return told

    def get(self, path: str) -> Any:
        """The value that a path answers with."""
        code, _, content = self.ask("GET", path)
        assert code == 200, content
        return json.loads(content)

    def post(self, path: str, value: Any = None, *, code: int = 200) -> Any:
        """The value that an action answers with."""
        found, _, content = self.ask("POST", path, value if value is not None else {})
        assert found == code, content
        return json.loads(content)

    def states(self, study: str) -> dict[str, str]:
        """Unit -> state."""
        units = self.get(f"/api/v1/studies/{study}/units")["units"]
        return {unit["unit"]: unit["state"] for unit in units}

    def idle(self, study: str) -> bool:
        """Whether no command runs."""
        return self.get(f"/api/v1/studies/{study}")["activity"]["run"] is None

    def close(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=limit(20))
