"""The units' own files: logs as text, pages in a sandbox, and nothing else of this machine."""

from __future__ import annotations

from pathlib import Path

from flask import Response, abort, request

from ..records.evidence import open_inside
from .access import UNIT_POLICY, Access, same
from .context import Context

# What a browser may take a file for; everything else is text.
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".css": "text/css; charset=utf-8",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
TEXT = "text/plain; charset=utf-8"
FOLDERS = ("pages", "evidence")


def add_files(context: Context) -> None:
    """Add the route of units' own pages."""

    def unit_file(ticket: str, name: str, folder: str, unit: str, path: str) -> Response:
        """A file of a unit's own pages or of what its failed attempts left."""
        if not same(ticket, context.access.ticket(name, unit)):
            abort(404)
        if folder not in FOLDERS:
            abort(404)
        study = context.study(name)
        inside = {"pages": study.files.pages_of, "evidence": study.files.evidence_of}[folder](unit)
        return serve_file(inside, path, f"{request.host_url}view/{ticket}/")

    context.app.add_url_rule(
        "/view/<ticket>/<name>/<folder>/<unit>/<path:path>", "unit_file", unit_file
    )


def serve_file(root: Path, path: str, own: str) -> Response:
    """A regular file below a folder, which no link leads out of."""
    try:
        with open_inside(root, path) as f:
            content = f.read()
    except (OSError, ValueError):
        abort(404)
    answer = Response(content, content_type=KINDS.get(Path(path).suffix.lower(), TEXT))
    policy = UNIT_POLICY.format(own=own, site=request.host_url.rstrip("/"))
    answer.headers["Content-Security-Policy"] = policy
    return answer


def address(access: Access, study: str, unit: str, href: str) -> str:
    """Where a link of the report (`pages/<unit>/…`) leads on the page."""
    return f"/view/{access.ticket(study, unit)}/{study}/{href}"
