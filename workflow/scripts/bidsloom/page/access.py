"""Who may ask for what.

With a Unix socket the file's mode says who: its owner.  A port of this machine
is open to every user, so each start has a token.  In both cases a browser may
be led here by a hostile page: hosts and origins are checked, and an action
needs a token that such a page cannot read.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from flask import Flask, Request, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

# A name that leads elsewhere today may lead here tomorrow (DNS rebinding).
HOSTS = ("localhost", "127.0.0.1", "[::1]")
SAFE = ("GET", "HEAD", "OPTIONS")
CSRF_HEADER = "X-CSRF-Token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The page of a unit may show its own files; no script runs, nothing is sent anywhere.
UNIT_POLICY = (
    "sandbox; default-src 'none'; style-src {own} 'unsafe-inline'; img-src {own} data:; "
    "font-src {own} data:; object-src {own}; frame-src {own}; media-src {own}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {site}"
)


@dataclass(frozen=True)
class Access:
    """The rules of one start; `token` is empty where the socket's mode keeps others out."""

    token: str = ""
    read_only: bool = False
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def ticket(self, study: str, unit: str) -> str:
        """What the address of a unit's own pages holds.

        Such a page is sandboxed: its browser sends no cookie for its figures.
        """
        told = f"{study}\0{unit}".encode()
        return hmac.new(self._key, told, hashlib.sha256).hexdigest()[:40]


def guard(app: Flask, access: Access) -> None:
    """Look at every request before it is answered, and give every answer its headers."""

    @app.before_request
    def look() -> AnyResponse | tuple[AnyResponse, int] | None:
        if refused := refusal(access, request):
            return jsonify(error={"message": refused[0], "hint": refused[1]}), 403
        if access.token and same(request.args.get("token", ""), access.token):
            return with_cookie(access, redirect(request.path))
        return None

    @app.after_request
    def seal(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", POLICY)
        headers.setdefault("Cache-Control", "no-store")
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if request.endpoint != "unit_file":
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["X-Frame-Options"] = "DENY"
        return response


def refusal(access: Access, asked: Request) -> tuple[str, str] | None:
    """Why a request is refused, and what to do; None where it is not."""
    host = asked.host
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name not in HOSTS:
        return "This page answers to localhost alone.", "open it as http://localhost:PORT/."
    if asked.endpoint == "unit_file":
        # Has a ticket in its address, which the handler checks.
        return None
    origin = asked.headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
        return "The request comes from another page.", "use the page itself, or no browser."
    crossing = asked.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    if crossing and asked.headers.get("Sec-Fetch-Mode") != "navigate":
        return "The request comes from another page.", "use the page itself, or no browser."
    bearer = asked.headers.get("Authorization", "").removeprefix("Bearer ")
    is_bearer = bool(access.token) and same(bearer, access.token)
    if access.token and not is_bearer:
        cookie = asked.cookies.get(cookie_name(asked), "")
        in_address = asked.method == "GET" and same(asked.args.get("token", ""), access.token)
        if not same(cookie, access.session) and not in_address:
            return "Who asks is not known.", "open the address that `bidsloom page` printed."
    if asked.method not in SAFE:
        if access.read_only:
            return "This page only shows.", "start it without --read-only to act."
        if not is_bearer and not same(asked.headers.get(CSRF_HEADER, ""), access.csrf):
            hint = f"send {CSRF_HEADER} with the value of `csrf` in /api/v1/session."
            return "The request has no token of this page.", hint
        if asked.content_length and not asked.is_json:
            return "The request is not JSON.", "send Content-Type: application/json."
    return None


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not say where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def cookie_name(asked: Request) -> str:
    """The cookie's name; browsers share cookies among all ports of a host."""
    return f"bidsloom-{asked.host.rpartition(':')[2]}"


def with_cookie(access: Access, answer: AnyResponse) -> AnyResponse:
    """An answer after which the browser is known."""
    name = cookie_name(request)
    answer.set_cookie(name, access.session, httponly=True, samesite="Strict", path="/")
    return answer
