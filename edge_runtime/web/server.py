"""Run the web application with uvicorn."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from edge_runtime.command_line.signals import stop_signals
from edge_runtime.web.app import build_app
from edge_runtime.web.protection.access import AccessError, check_token, is_loopback
from edge_runtime.web.protection.connections import BoundedProtocol
from edge_runtime.web.protection.logs import limit_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from edge_runtime.web.site import Site

MAX_HEADER_BYTES = 16_384
ACCEPTED_AT_ONCE = 16  # connections that asyncio accepts before it handles those that it has accepted
BACKLOG = 1024  # connections that wait in the kernel, where they cost little
PROXIES = "127.0.0.1,::1"  # whose X-Forwarded-For is believed, if --public-url is set
GRACE_S = 3  # time for open responses to end when the server stops
STOP_POLL_S = 0.2


def run_server(
    site: Site,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    stop: threading.Event | None = None,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve until `stop` is set. In the main thread, SIGINT, SIGTERM and SIGHUP set it.

    Args:
        site: what is served. Its classifier must not be the one that the live loop uses.
        host: address to bind to; the site needs a token unless the address is loopback.
        port: port to bind to; 0 chooses a free port.
        stop: stops the server; it is also set when the server stops for another reason.
        on_ready: called with the server's URL once it accepts connections.

    Raises:
        AccessError: the server would be open to everyone, or the address cannot be bound.

    """
    check_token(host, site.token, site.public_url and site.public_url.origin)

    def set_is_stopping(is_stopping: Callable[[], bool]) -> None:
        site.is_stopping = is_stopping

    run_app(
        build_app(site, loopback=is_loopback(host)),
        host=host,
        port=port,
        behind_proxy=site.public_url is not None,
        stop=stop,
        on_ready=on_ready,
        set_is_stopping=set_is_stopping,
    )


def run_app(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    behind_proxy: bool = False,
    stop: threading.Event | None = None,
    on_ready: Callable[[str], None] = lambda _url: None,
    set_is_stopping: Callable[[Callable[[], bool]], None] = lambda _is_stopping: None,
) -> None:
    """Serve an application as `run_server` does; its caller has checked the token.

    Args:
        app: the application.
        host: address to bind to.
        port: port to bind to; 0 chooses a free port.
        behind_proxy: whether the addresses of clients are those that a proxy on this device sends.
        stop: as for `run_server`.
        on_ready: as for `run_server`.
        set_is_stopping: receives a function that returns whether the server stops.

    Raises:
        AccessError: the address cannot be bound.

    """
    stop = stop or threading.Event()
    server = uvicorn.Server(_config(app, behind_proxy=behind_proxy))
    limit_logs()
    set_is_stopping(lambda: server.should_exit)
    with _listen(host, port) as listening:
        url_host = f"[{host}]" if ":" in host else host
        url = f"http://{url_host}:{listening.getsockname()[1]}/"
        try:
            with _stopped_by_signals(stop):
                asyncio.run(_serve(server, listening, stop, lambda: on_ready(url)))
        finally:
            stop.set()


def _config(app: ASGIApp, *, behind_proxy: bool) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,  # a URL may contain the token
        server_header=False,
        proxy_headers=behind_proxy,
        forwarded_allow_ips=PROXIES,
        backlog=ACCEPTED_AT_ONCE,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=GRACE_S,
    )


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on the signals that end a command.

    uvicorn raises these signals again when it has stopped; without this handler that would end the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


async def _serve(
    server: uvicorn.Server, listening: socket.socket, stop: threading.Event, on_ready: Callable[[], None]
) -> None:
    serving = asyncio.ensure_future(server.serve([listening]))
    reported = False
    while not serving.done():
        if server.started and not reported:
            reported = True
            listening.listen(BACKLOG)  # asyncio has set it to ACCEPTED_AT_ONCE
            on_ready()
        server.should_exit = server.should_exit or stop.is_set()
        await asyncio.wait([serving], timeout=STOP_POLL_S)
    await serving


def _listen(host: str, port: int) -> socket.socket:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as problem:
        raise AccessError(f"cannot listen on {host}:{port}: {problem.strerror}; choose another --port") from None
    return listening
