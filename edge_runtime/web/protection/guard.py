"""A wrapper of the application that checks access and adds the security headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse

from edge_runtime.web.protection.access import bearer_token, is_cross_site
from edge_runtime.web.protection.logs import report_refused_token

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edge_runtime.web.protection.access import Access

# The page may load resources from this server only.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
MAX_HEADERS = 100
VERSIONS = frozenset({"1.0", "1.1"})
TOO_MANY = "too many wrong tokens from this address; try again later"
RETRY_LATER = {"Retry-After": "10"}
PAGES = frozenset({"/", "/review"})
# Available without a token, for the login and for health checks. They contain nothing from the camera.
PUBLIC_PATHS = frozenset({"/login", "/static/style.css", "/static/icon.svg", "/healthz"})


class Guard:
    """ASGI application that refuses requests without access and adds the security headers to every response.

    It is around the whole application, so that the response to an unexpected error has the headers, too.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with an error, or pass the request to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        response = await self._refusal(HTTPConnection(scope)) or self._app
        await response(scope, receive, _with_headers(send))

    async def _refusal(self, request: HTTPConnection) -> ASGIApp | None:
        """Return the response that refuses a request, or None if it is allowed."""
        if malformed := _refusal_of_form(request):
            return malformed
        path = request.scope["path"]
        if is_cross_site(request, self._access) and path != "/healthz":
            return JSONResponse(
                {
                    "error": "requests from other web sites or under other host names are refused; "
                    "behind a proxy, start edge-run serve with --public-url"
                },
                403,
            )
        if path in PUBLIC_PATHS or self._access.has_session(request):
            return None
        if (token := bearer_token(request)) is not None:
            return await self._refusal_of_token(request, token)
        if path in PAGES:  # a browser opens a page, perhaps with ?token=
            query = request.scope["query_string"].decode("latin-1")
            return RedirectResponse(f"/login?{query}" if query else "/login", 303)
        return _unauthorized("a token is required; send it in the header Authorization: Bearer TOKEN")

    async def _refusal_of_token(self, request: HTTPConnection, token: str) -> ASGIApp | None:
        address = client_address(request)
        verdict = await self._access.attempts.check(address, lambda: self._access.is_token(token), known_first=True)
        if verdict:
            return None
        report_refused_token(address)
        if verdict is False:
            return _unauthorized("the token is wrong")
        return JSONResponse({"error": TOO_MANY}, 429, RETRY_LATER)


def _refusal_of_form(request: HTTPConnection) -> ASGIApp | None:
    """Return the response to a request that h11 accepts, but that a proxy may understand in another way."""
    names = [name for name, _ in request.scope["headers"]]
    if request.scope["http_version"] not in VERSIONS:
        return _closing("this version of HTTP is not supported", 400)
    if len(names) > MAX_HEADERS:
        return _closing(f"more than {MAX_HEADERS} header fields", 431)
    if b"content-length" in names and b"transfer-encoding" in names:
        return _closing("a body has either a length or a transfer encoding", 400)
    return None


def _closing(message: str, status: int) -> JSONResponse:
    return JSONResponse({"error": message}, status, {"Connection": "close"})


def client_address(request: HTTPConnection) -> str:
    """Return the address that a request came from."""
    return request.client.host if request.client else ""


def _unauthorized(message: str) -> JSONResponse:
    return JSONResponse({"error": message}, 401, {"WWW-Authenticate": "Bearer"})


def _with_headers(send: Send) -> Send:
    """Return a `send` that adds the security headers to the start of a response."""

    async def send_with_headers(message: Message) -> None:
        """Add the headers to the first message of the response, and send it."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
