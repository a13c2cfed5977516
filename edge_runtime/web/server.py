"""Run the web application."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from edge_runtime.web.access import AccessError, check_token, is_loopback
from edge_runtime.web.app import STALE_S, Site, build_app
from edge_runtime.web.connections import BoundedProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.live.records import Event
    from edge_runtime.live.sinks.outbox import Outbox
    from edge_runtime.web.hub import Hub

HEADER_BYTES = 16_384
BACKLOG = 128
GRACE_S = 3
STOP_POLL_S = 0.2


def run_server(
    hub: Hub,
    classifier: Classifier,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    token: str | None = None,
    title: str = "Edgewise",
    outboxes: Sequence[Outbox[Event]] = (),
    stale_s: float = STALE_S,
    stop: threading.Event | None = None,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve until `stop` is set, or, in the main thread, until SIGINT or SIGTERM, which then set it.

    Args:
        hub: the live loop's results.
        classifier: for uploads; it must not be the loop's.
        host: address to bind to; any other than loopback needs a token.
        port: 0 takes a free one.
        token: required from everyone.
        title: title of the page.
        outboxes: of the sinks, for the metrics.
        stale_s: seconds without a decision after which /healthz reports it.
        stop: ends the server.
        on_ready: called with the address once the server responds.

    Raises:
        AccessError: it would be open to everyone, or the address cannot be bound.

    """
    check_token(host, token)
    stop = stop or threading.Event()
    site = Site(hub, classifier, token, title, outboxes, stale_s=stale_s)
    config = uvicorn.Config(
        build_app(site, loopback=is_loopback(host)),
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,  # an address may contain the token
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)
    site.stopping = lambda: server.should_exit
    with _bound(host, port) as listening:
        url_host = f"[{host}]" if ":" in host else host
        address = f"http://{url_host}:{listening.getsockname()[1]}/"
        try:
            with _stopped_by_signals(stop):
                asyncio.run(_serve(server, listening, stop, lambda: on_ready(address)))
        finally:
            stop.set()


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on SIGINT and SIGTERM: uvicorn raises them again at its end, and that would end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _serve(
    server: uvicorn.Server, listening: socket.socket, stop: threading.Event, on_ready: Callable[[], None]
) -> None:
    serving = asyncio.ensure_future(server.serve([listening]))
    told = False
    while not serving.done():
        if server.started and not told:
            told = True
            on_ready()
        server.should_exit = server.should_exit or stop.is_set()
        await asyncio.wait([serving], timeout=STOP_POLL_S)
    await serving


def _bound(host: str, port: int) -> socket.socket:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as problem:
        raise AccessError(f"{host}:{port}: cannot listen there: {problem.strerror}; choose another --port") from None
    return listening
