"""Servers that tests start."""

from __future__ import annotations

import http.server


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files, says nothing."""

    def log_message(self, *args):
        pass
