"""Access control: on loopback every local user has access; on other addresses a token is required."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from edge_runtime.errors import EdgeError
from edge_runtime.web.protection.attempts import Attempts
from edge_runtime.web.protection.sessions import Sessions

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from starlette.requests import HTTPConnection

COOKIE = "edgewise"
MIN_TOKEN_LENGTH = 16
# A host name or address, with or without a port; other characters could be read in different ways.
HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class AccessError(EdgeError):
    """The server cannot listen at the address, or it would be open to everyone who can reach it."""


class PublicUrl(NamedTuple):
    """The address under which browsers reach the server through a proxy.

    Attributes:
        origin: scheme, host and port, as a browser sends it in the header Origin.
        host: the host name.
        is_https: whether cookies may be limited to HTTPS.

    """

    origin: str
    host: str
    is_https: bool


@dataclass(frozen=True)
class Access:
    """Who may use the server.

    Attributes:
        token: token that requests must have; None if none is required.
        loopback: whether the server is bound to a loopback address.
        public_url: address of the proxy in front of the server; None if there is none.
        sessions: the browsers that have sent the token.
        attempts: the addresses that have sent wrong tokens.

    """

    token: str | None = None
    loopback: bool = True
    public_url: PublicUrl | None = None
    sessions: Sessions = field(default_factory=Sessions)
    attempts: Attempts = field(default_factory=Attempts)

    def has_session(self, request: HTTPConnection) -> bool:
        """Return whether a request may use everything: it belongs to an open session, or no token is required."""
        return self.token is None or self.sessions.is_open(session_cookie(request))

    def is_token(self, received: str) -> bool:
        """Compare a received token, which may contain any characters, in constant time."""
        expected = (self.token or "").encode()
        return hmac.compare_digest(received.encode("utf-8", "surrogateescape"), expected) and bool(expected)


def is_loopback(host: str) -> bool:
    """Return whether an address to bind to can be reached only from this device."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_token(host: str, token: str | None, public_url: str | None = None) -> None:
    """Raise AccessError if the token is too weak, or if it is missing and other machines can reach the server.

    Args:
        host: address to bind to.
        token: the token that requests must have, or None.
        public_url: address of the proxy in front of the server, or None.

    """
    if token is not None and (len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable()):
        raise AccessError(
            f"the token must have at least {MIN_TOKEN_LENGTH} printable ASCII characters, such as {_random_token()}"
        )
    if token is None and (public_url or not is_loopback(host)):
        option = "--public-url is" if public_url else f"--host {host} is"
        raise AccessError(f"{option} open to the network, so a token must be set: EDGE_RUN_TOKEN={_random_token()}")


def parse_public_url(text: str) -> PublicUrl:
    """Parse an address such as https://camera.example.org. Raise AccessError."""
    parts = _split(text)
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.username is not None
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
    ):
        raise AccessError("--public-url must be https://HOST or https://HOST:PORT, without a path")
    return PublicUrl(f"{parts.scheme}://{parts.netloc.lower()}", parts.hostname, parts.scheme == "https")


def bearer_token(request: HTTPConnection) -> str | None:
    """Return the token in a request's Authorization header, or None."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def session_cookie(request: HTTPConnection) -> str:
    """Return the value of a request's session cookie; empty if there is none."""
    try:
        cookies = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def is_cross_site(request: HTTPConnection, access: Access) -> bool:
    """Return whether a browser sent a request on behalf of another web site.

    A loopback server has no token. The check of the Host header protects it from DNS rebinding: a web site whose host
    name resolves to 127.0.0.1.
    """
    host, public = request.headers.get("host", ""), access.public_url
    parts = _split(f"//{host}")
    allowed = LOCAL_NAMES | ({public.host} if public else set())
    if not HOST.fullmatch(host) or parts is None or (access.loopback and parts.hostname not in allowed):
        return True
    if _is_embedded(request):
        return True
    origin = request.headers.get("origin")
    if origin is None or (public and origin.lower() == public.origin):
        return False
    sent_from = _split(origin)
    return sent_from is None or sent_from.netloc != host


def _is_embedded(request: HTTPConnection) -> bool:
    """Return whether a browser says that a page of another origin makes the request, other than by a link."""
    site, mode = request.headers.get("sec-fetch-site", "none"), request.headers.get("sec-fetch-mode")
    return site not in {"same-origin", "none"} and not (mode == "navigate" and request.scope["method"] == "GET")


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL, or None if it is not one."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port  # these raise for a host or port that is not valid
    except ValueError:
        return None
    return parts


def _random_token() -> str:
    return secrets.token_urlsafe(24)
