"""Access control: on loopback every local user has access; on other addresses a token is required."""

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
MIN_TOKEN_LENGTH = 16
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class AccessError(EdgeError):
    """The server cannot listen at the address, or it would be open to everyone who can reach it."""


def is_loopback(host: str) -> bool:
    """Return whether an address to bind to can be reached only from this device."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_token(host: str, token: str | None) -> None:
    """Raise AccessError if the token is too weak, or if it is missing and the host is not loopback.

    Args:
        host: address to bind to.
        token: the token that requests must have, or None.

    """
    if token is not None and (len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable()):
        raise AccessError(
            f"the token must have at least {MIN_TOKEN_LENGTH} printable ASCII characters, such as {_random_token()}"
        )
    if token is None and not is_loopback(host):
        raise AccessError(
            f"--host {host} is open to the network, so a token must be set: EDGE_RUN_TOKEN={_random_token()}"
        )


def cookie_for(token: str) -> str:
    """Return the cookie value that represents the token; the token cannot be computed from it."""
    return hashlib.sha256(b"edgewise cookie\0" + token.encode()).hexdigest()


def is_same_secret(received: str, expected: str) -> bool:
    """Compare two strings in constant time; `received` may contain any characters."""
    return hmac.compare_digest(received.encode("utf-8", "surrogateescape"), expected.encode())


def is_allowed(request: HTTPConnection, token: str | None) -> bool:
    """Return whether a request contains the token, as a bearer token or as a cookie; True if no token is set."""
    if token is None:
        return True
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_same_secret(credentials.strip(), token):
        return True
    try:
        cookies = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return False
    return COOKIE in cookies and is_same_secret(cookies[COOKIE].value, cookie_for(token))


def is_cross_site(request: HTTPConnection, *, loopback: bool) -> bool:
    """Return whether a browser sent a request on behalf of another web site.

    A loopback server has no token. The check of the Host header protects it from DNS rebinding: a web site whose host
    name resolves to 127.0.0.1.
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


def _random_token() -> str:
    return secrets.token_urlsafe(24)
