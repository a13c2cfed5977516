"""Exchange the token for a session, and end sessions."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response

from edge_runtime.web.protection.access import COOKIE, session_cookie
from edge_runtime.web.protection.guard import RETRY_LATER, client_address
from edge_runtime.web.protection.logs import report_refused_token
from edge_runtime.web.protection.sessions import SESSION_S
from edge_runtime.web.protection.uploads import read_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from edge_runtime.web.protection.access import Access

MAX_FORM_BYTES = 4096
MAX_FORM_S = 5.0
PROBLEM = "<!-- problem -->"  # the place in the page where a problem is shown


async def log_in(access: Access, request: Request) -> Response:
    """Exchange the token, from the form or from ?token=, for a cookie that scripts cannot read."""
    form = b""
    if request.method == "POST":
        form = await read_body(request, max_bytes=MAX_FORM_BYTES, timeout_s=MAX_FORM_S)
    if access.token is None:
        return RedirectResponse("/", 303)
    token = request.query_params.get("token") or parse_qs(form.decode("latin-1")).get("token", [""])[0]
    if not token.strip():
        return _page(200)
    return await _answer(access, token.strip(), request)


async def log_out(access: Access, request: Request) -> Response:
    """End the session of the request's cookie and remove the cookie."""
    access.sessions.end(session_cookie(request))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_is_https(access, request))
    return response


async def _answer(access: Access, token: str, request: Request) -> Response:
    """Return the response to a submitted token."""
    address = client_address(request)
    verdict = await access.attempts.check(address, lambda: access.is_token(token), known_first=False)
    if not verdict:
        report_refused_token(address)
        if verdict is None:
            return _page(429, "Too many wrong tokens. Try again later.", RETRY_LATER)
        return _page(401, "This token is wrong.")
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE, access.sessions.start(), SESSION_S, httponly=True, samesite="strict", secure=_is_https(access, request)
    )
    return response


def _page(status: int, problem: str = "", headers: dict[str, str] | None = None) -> Response:
    """Return the login page; `problem` is a fixed text, without anything that the client sent."""
    page = files("edge_runtime.web").joinpath("static", "login.html").read_text(encoding="utf-8")
    shown = f'<p id="problem" class="problem" role="alert">{problem}</p>' if problem else ""
    return Response(page.replace(PROBLEM, shown), status, headers, media_type="text/html; charset=utf-8")


def _is_https(access: Access, request: Request) -> bool:
    """Return whether the browser uses HTTPS. A false header of the client limits only its own cookie."""
    public = access.public_url is not None and access.public_url.is_https
    return public or request.headers.get("x-forwarded-proto", "").lower() == "https"
