"""What stands before every request: who may ask, and what the browser may do with the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse

from edge_runtime.web.access import is_allowed, is_foreign

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A page from here may use what is from here, and nothing else at all.
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
# Without these nobody could log in, nor a supervisor see whether it lives. They tell nothing about the picture.
OPEN_TO_ALL = frozenset({"/login", "/static/style.css", "/static/icon.svg", "/healthz"})


class Guard:
    """ASGI middleware that turns away who may not ask, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, *, token: str | None, loopback: bool) -> None:
        self._app = app
        self._token = token
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the application's place, or let it answer."""
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
            return JSONResponse({"error": "asked in the name of another host or site"}, 403)
        path = request.scope["path"]
        if path in OPEN_TO_ALL or is_allowed(request, self._token):
            return None
        if path == "/":  # where a person arrives, perhaps with ?token=
            query = request.scope["query_string"].decode("latin-1")
            return RedirectResponse(f"/login?{query}" if query else "/login", 303)
        return JSONResponse({"error": "a token is needed"}, 401, {"WWW-Authenticate": "Bearer"})
