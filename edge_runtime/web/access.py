"""Who may use the server: on loopback every local user, elsewhere everyone who has the token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge_runtime.errors import EdgeError

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

COOKIE = "edgewise"
COOKIE_S = 180 * 24 * 3600
SHORTEST_TOKEN = 16
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class AccessError(EdgeError):
    """The server would be open to everyone who can reach it."""


def is_loopback(host: str) -> bool:
    """Return whether an address to bind to can be reached only from this device."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_token(host: str, token: str | None) -> None:
    """Raise AccessError unless the server is on loopback or has a token that cannot be guessed."""
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable()):
        raise AccessError(f"the token must be at least {SHORTEST_TOKEN} plain characters, such as {_proposal()}")
    if token is None and not is_loopback(host):
        raise AccessError(f"--host {host} is open to the network, so a token must be set: EDGE_RUN_TOKEN={_proposal()}")


def cookie_of(token: str) -> str:
    """Return the cookie that represents the token; the token cannot be computed from it."""
    return hashlib.sha256(b"edgewise cookie\0" + token.encode()).hexdigest()


def same(given: str, wanted: str) -> bool:
    """Compare in constant time, with any characters."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def is_allowed(request: HTTPConnection, token: str | None) -> bool:
    """Return whether a request has the token, as a bearer token or as its cookie; without a token all requests do."""
    if token is None:
        return True
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same(given.strip(), token):
        return True
    try:
        cookies = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return False
    return COOKIE in cookies and same(cookies[COOKIE].value, cookie_of(token))


def is_foreign(request: HTTPConnection, *, loopback: bool) -> bool:
    """Return whether a request was sent by the browser for another web site.

    A loopback server has no token. Its protection from a host name that a site points at 127.0.0.1 is the Host header.
    """
    host = request.headers.get("host", "")
    if loopback and _hostname(f"//{host}") not in LOCAL_NAMES:
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != host


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _proposal() -> str:
    return secrets.token_urlsafe(24)
