"""A headless Chromium, driven over a pipe by its own protocol (Chrome DevTools)."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .waiting import limit, wait_for

# No sandbox, since tests may run as root; no word to anybody.
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
FLAGS += ["--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"]


def need_chromium() -> str:
    """The program; a skip, or with CI=true a failure, where it is missing."""
    program = shutil.which("chromium")
    if program is None:
        reason = "no chromium; install with: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return program


class Browser:
    """One page; `requests` and `complaints` are what it asked for and what it complained of."""

    def __init__(self, profile: Path) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number = 0
        self._left = b""
        self._loaded = False
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()

        def take_pipes() -> None:
            """Give the pipes the numbers that Chromium looks for."""
            # Via higher ones: either may be 3 or 4 already.
            high = os.dup2(to_read, 60), os.dup2(to_write, 61)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            [need_chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=take_pipes,
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_write)
        self._session = ""
        targets = self.send("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict:
        """The answer to a command; events that come before it are noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            told = self._receive()
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]
            self._note(told)

    def _receive(self) -> dict:
        """The next message."""
        while b"\0" not in self._left:
            ready, *_ = select.select([self._from], [], [], limit(60))
            assert ready, "chromium does not answer"
            chunk = os.read(self._from, 2**16)
            assert chunk, "chromium has ended"
            self._left += chunk
        text, _, self._left = self._left.partition(b"\0")
        return json.loads(text)

    def _note(self, event: dict) -> None:
        """Keep what a page should not have done."""
        method, facts = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(facts["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            thrown = facts["exceptionDetails"]
            self.complaints.append(thrown.get("exception", thrown).get("description", str(thrown)))
        elif method == "Runtime.consoleAPICalled" and facts["type"] in ("error", "warning"):
            self.complaints.append(json.dumps(facts["args"]))
        elif method == "Log.entryAdded" and facts["entry"]["level"] in ("error", "warning"):
            self.complaints.append(facts["entry"]["text"])

    def open(
        self, page: Path | str, *, width: int = 1280, height: int = 900, dark: bool = False
    ) -> None:
        """Load a page, by its file or its URL, and wait until its script has run."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self._loaded = False
        self.send("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while not self._loaded:
            self._note(self._receive())

    def ask(self, script: str) -> Any:
        """The value of an expression in the page."""
        told = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """What can be read in the elements that a selector finds."""
        script = f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)"
        return self.ask(script)

    def click(self, selector: str) -> None:
        """Click the first element that a selector finds."""
        self.ask(f"document.querySelector({json.dumps(selector)}).click()")

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Wait until an expression is true in the page."""
        wait_for(lambda: self.ask(f"Boolean({condition})"), seconds, condition)

    def wait_and_click(self, selector: str, seconds: float = 60) -> None:
        """Click an element as soon as it is there and can be used."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait(f"{found} && !{found}.disabled && {found}.getClientRects().length", seconds)
        self.click(selector)

    def press(self, key: str, code: int) -> None:
        """Press a key."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind, key=key, windowsVirtualKeyCode=code,
                **({"text": text} if kind == "keyDown" and text else {}),
            )  # fmt: skip

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)

    def unnamed_controls(self) -> list[str]:
        """The roles of fields, buttons and links that a screen reader has no name for."""
        kinds = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "spinbutton"}
        kinds |= {"tab", "radio", "img"}
        return [
            node["role"]["value"]
            for node in self.send("Accessibility.getFullAXTree")["nodes"]
            if not node.get("ignored")
            and node["role"]["value"] in kinds
            and not node.get("name", {}).get("value", "").strip()
        ]

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A picture of the page."""
        shown: dict[str, Any] = {}
        if whole:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
            shown = {"captureBeyondViewport": True, "clip": clip}
        shot = self.send("Page.captureScreenshot", **shown)
        path.write_bytes(base64.b64decode(shot["data"]))

    def print_pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.send("Page.printToPDF", printBackground=True)["data"])

    def close(self) -> None:
        """End the browser."""
        self._session = ""
        self.send("Browser.close")
        self._process.wait(timeout=limit(20))
        os.close(self._to)
        os.close(self._from)
