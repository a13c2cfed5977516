"""Connect to a camera over HTTP: logins, redirections, time limits, and messages that name what is wrong."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import urllib.error
import urllib.request
import warnings
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from edge_runtime.errors import SourceError
from edge_runtime.live.records import SettingsError

if TYPE_CHECKING:
    from email.message import Message

warnings.filterwarnings("ignore", message="Basic Auth Realm was unquoted")  # as many cameras send it

REASONS = {
    **dict.fromkeys((301, 302, 303, 307, 308), "the camera redirects to an address that cannot be followed"),
    401: "the camera requires another user name or password; use http://USER:PASSWORD@HOST/…",
    403: "the camera refuses access (403); check the user's rights",
    404: "the camera has no such page (404); check the path of the address",
    503: "the camera is busy (503); close other viewers",
}


MEANINGS: tuple[tuple[type[BaseException], str], ...] = (  # the first that applies
    (socket.gaierror, "no host of this name was found; check the name and the network"),
    (TimeoutError, "the camera does not answer; check the address, and whether it is on"),
    (ssl.SSLError, "the port does not speak TLS; use http://"),
    (http.client.RemoteDisconnected, "the camera closed the connection"),
    (http.client.IncompleteRead, "the camera closed the connection"),
    (http.client.HTTPException, "the answer is not HTTP; check the port"),
)


class Response(NamedTuple):
    """An open response.

    Attributes:
        body: from which the content can be read.
        content_type: in lower case, without parameters; "multipart/x-mixed-replace" also if a second type follows.
        close: closes the connection.

    """

    body: Any
    content_type: str
    close: Any


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Follow redirections without reading their bodies, which may be endless."""

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message) -> Any:  # noqa: ANN401 - as in urllib
        fp.close()
        return super().http_error_302(req, io.BytesIO(), code, msg, headers)  # type: ignore[arg-type]

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def connect(url: str, name: str, timeout_s: float) -> Response:
    """Request a page of a camera.

    Args:
        url: its address, which may contain a user name and a password.
        name: the address without secrets, for messages.
        timeout_s: seconds without data after which connecting or a read fails.

    Raises:
        SourceError: there is no answer, or an error; SettingsError if the login is wrong.

    """
    address, login = _split_login(url)
    request = urllib.request.Request(address, headers={"User-Agent": "edgewise", "Accept": "*/*"})  # noqa: S310 - http(s)
    try:
        response = _opener(address, login).open(request, timeout=timeout_s)
    except urllib.error.HTTPError as problem:
        problem.close()
        kind = SettingsError if problem.code == http.client.UNAUTHORIZED else SourceError
        reason = REASONS.get(problem.code, f"the camera responds {problem.code} {problem.reason}")
        raise kind(f"{name}: {reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise SourceError(f"{name}: cannot be opened: {reason_of(problem)}") from None
    types = [each.partition(";")[0].strip().lower() for each in response.headers.get_all("Content-Type", [])]
    is_multipart = any(each.startswith("multipart/") for each in types)
    # A server may write the headers of the first part without a boundary, so their length is not that of the response.
    body = response.fp if is_multipart and not response.chunked else response
    return Response(body, "multipart/x-mixed-replace" if is_multipart else (types or [""])[0], response.close)


def reason_of(problem: BaseException) -> str:
    """Return what is wrong with a connection, for the user."""
    inner = getattr(problem, "reason", None)
    if isinstance(inner, BaseException):
        return reason_of(inner)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({problem.verify_message}); set SSL_CERT_FILE to a file that contains it"
        )
    for kind, text in MEANINGS:
        if isinstance(problem, kind):
            return text
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__


def _split_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """Return an address without its login, and the login. The last @ ends a password, whatever it contains."""
    parts = urlsplit(url)
    scheme, rest = url[: url.index("://")], url[url.index("://") + 3 :]
    login, at, _ = rest.rpartition("@")
    if not at or ("/" in login and ":" not in login.partition("/")[0]):
        return urlunsplit(parts), None
    user, _, password = login.partition(":")
    return f"{scheme}://{rest.rpartition('@')[2]}", (unquote(user), unquote(password))


def _opener(address: str, login: tuple[str, str] | None) -> urllib.request.OpenerDirector:
    """Return a client for HTTP and HTTPS alone, which sends the login only to the camera itself."""
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if login:
        passwords.add_password(None, address, *login)
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirect(),
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    ):
        opener.add_handler(handler)
    return opener
