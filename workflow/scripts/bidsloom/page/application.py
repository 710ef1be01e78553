"""All routes together: the API, the page's own files, the units' own pages."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

from flask import Flask, Response, abort, request

from ..reporting import report_page
from .access import Access, guard
from .api import make_api
from .config_api import make_config_api
from .context import Context, answer_failures
from .files import add_files
from .old_endpoints import make_old_endpoints
from .openapi import make_openapi
from .studies import Studies

STATIC = Path(__file__).with_name("static")
# The page's own files, by the names that it loads them by.
OWN_FILES = {
    "report_page.css": report_page.STYLE,
    "report_page.js": report_page.SCRIPT,
    **{path.name: path for path in STATIC.iterdir() if path.suffix in (".css", ".js")},
}
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
# The largest request: a config file.
LARGEST = 4 * 2**20
# Shorter answers are sent as they are.
WORTH_PACKING = 4096


def make_application(studies: Studies, access: Access, *, environment: Mapping[str, str]) -> Flask:
    """The WSGI application; `environment` is that of the commands it starts."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    context = Context(app, studies, access, environment)
    guard(app, access)
    answer_failures(app)
    for blueprint in (
        make_api(context), make_config_api(context), make_openapi(), make_old_endpoints(context)
    ):  # fmt: skip
        app.register_blueprint(blueprint)
    add_files(context)

    @app.get("/")
    @app.get("/studies/<name>")
    def page(name: str = "") -> Response:
        """The page; its script asks the API for all the rest."""
        return Response(
            (STATIC / "page.html").read_bytes(), content_type="text/html; charset=utf-8"
        )

    @app.get("/static/<name>")
    def own_file(name: str) -> Response:
        """A script or a style of the page."""
        path = OWN_FILES.get(name) or abort(404)
        answer = Response(path.read_bytes(), content_type=KINDS[path.suffix])
        answer.headers["Cache-Control"] = "no-cache"
        answer.set_etag(f"{path.stat().st_mtime_ns:x}")
        return answer.make_conditional(request)  # type: ignore[return-value]

    @app.after_request
    def pack(answer: Response) -> Response:
        """Pack long answers for those who can unpack them."""
        if (
            "gzip" in request.headers.get("Accept-Encoding", "")
            and answer.status_code == 200
            and not answer.direct_passthrough
            and len(answer.get_data()) >= WORTH_PACKING
        ):
            answer.set_data(gzip.compress(answer.get_data(), 1))
            answer.headers["Content-Encoding"] = "gzip"
            answer.headers["Vary"] = "Accept-Encoding"
        return answer

    return app
