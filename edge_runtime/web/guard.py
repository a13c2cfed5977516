"""Check every request before the application sees it: who may ask, and what the browser may do with the response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse

from edge_runtime.web.access import is_allowed, is_foreign

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A page of this server may use resources of this server and nothing else.
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
# Without these, nobody could log in, and no supervisor could check the health. They reveal nothing about the picture.
OPEN_TO_ALL = frozenset({"/login", "/static/style.css", "/static/icon.svg", "/healthz"})


class Guard:
    """ASGI middleware that refuses requests without permission, and adds the security headers to every response."""

    def __init__(self, app: ASGIApp, *, token: str | None, loopback: bool) -> None:
        self._app = app
        self._token = token
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with an error, or pass the request to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(HTTPConnection(scope)) or self._app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, request: HTTPConnection) -> ASGIApp | None:
        if is_foreign(request, loopback=self._loopback):
            return JSONResponse({"error": "this host name or web site may not use the server"}, 403)
        path = request.scope["path"]
        if path in OPEN_TO_ALL or is_allowed(request, self._token):
            return None
        if path == "/":  # the page that a person opens, perhaps with ?token=
            query = request.scope["query_string"].decode("latin-1")
            return RedirectResponse(f"/login?{query}" if query else "/login", 303)
        return JSONResponse({"error": "a token is required"}, 401, {"WWW-Authenticate": "Bearer"})
