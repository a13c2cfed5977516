"""Middleware that checks access and adds the security headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse

from edge_runtime.web.access import is_allowed, is_cross_site

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
# Available without a token, for the login and for health checks. They contain nothing from the camera.
PUBLIC_PATHS = frozenset({"/login", "/static/style.css", "/static/icon.svg", "/healthz"})


class Guard:
    """ASGI middleware that refuses requests without access and adds the security headers to every response."""

    def __init__(self, app: ASGIApp, *, token: str | None, loopback: bool) -> None:
        self._app = app
        self._token = token
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with an error, or pass the request to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        response = self._refusal(HTTPConnection(scope)) or self._app
        await response(scope, receive, _with_headers(send))

    def _refusal(self, request: HTTPConnection) -> ASGIApp | None:
        """Return the response that refuses a request, or None if it is allowed."""
        if is_cross_site(request, loopback=self._loopback):
            return JSONResponse({"error": "requests from other web sites or under other host names are refused"}, 403)
        path = request.scope["path"]
        if path in PUBLIC_PATHS or is_allowed(request, self._token):
            return None
        if path == "/":  # a browser opens the page, perhaps with ?token=
            query = request.scope["query_string"].decode("latin-1")
            return RedirectResponse(f"/login?{query}" if query else "/login", 303)
        return JSONResponse(
            {"error": "a token is required; send it in the header Authorization: Bearer TOKEN"},
            401,
            {"WWW-Authenticate": "Bearer"},
        )


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
