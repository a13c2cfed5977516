"""Limits on connections that uvicorn does not have: slow clients are disconnected, and their number is bounded.

uvicorn's own `limit_concurrency` cannot bound it: it refuses every new request, so a few silent connections would make
the server unavailable to all clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_runtime.web.protection.guard import HEADERS

if TYPE_CHECKING:
    import asyncio

HEADER_S = 10.0  # time limit for a request's headers, from the connection or from the end of the previous request
WRITE_S = 15.0  # how long a client may leave a response unread
MAX_CONNECTIONS = 64
FORM_PATHS = frozenset({"/login"})  # read without a token, so that their bodies count as part of the headers


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 with time limits for receiving headers and for sending responses.

    If there are more than MAX_CONNECTIONS, the one that has waited longest for its client is closed, so that new
    clients are served. A connection whose request is being handled does not wait for its client.
    """

    _header_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _waiting_since_s: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection and start the timer for its first request."""
        super().connection_made(transport)
        self._start_header_timer()
        if len(self.connections) > MAX_CONNECTIONS:
            self._close_longest_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        for timer in (self._header_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Parse the received data, and stop the timer when a request's headers are complete."""
        super().handle_events()
        if self._header_timer is not None and self._is_handling_request():
            self._header_timer.cancel()
            self._header_timer = self._waiting_since_s = None

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP, with the same headers as every other response."""
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(msg))),
            ("Connection", "close"),
            *HEADERS.items(),
        ]
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:  # otherwise part of a response is already sent
            start = h11.Response(status_code=400, headers=headers)
            for event in (start, h11.Data(data=msg.encode()), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def on_response_complete(self) -> None:
        """Start the timer for the next request; it also closes a connection whose client does not close it."""
        self._start_header_timer()  # before the call, which may already start the next pipelined request
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the timer for a client that does not read its response."""
        super().pause_writing()
        self._waiting_since_s = self.loop.time()
        self._write_timer = self.loop.call_later(WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer: the client reads again."""
        super().resume_writing()
        if self._header_timer is None:
            self._waiting_since_s = None
        if self._write_timer is not None:
            self._write_timer.cancel()

    def _is_handling_request(self) -> bool:
        """Return whether the application, and not the client, must act next."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        return self.scope["path"] not in FORM_PATHS or not self.cycle.more_body

    def _start_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
        self._waiting_since_s = self.loop.time()
        self._header_timer = self.loop.call_later(HEADER_S, self.transport.abort)

    def _close_longest_waiting(self) -> None:
        waiting = [
            (peer._waiting_since_s, number, peer)  # noqa: SLF001 - of the same class
            for number, peer in enumerate(self.connections)
            if isinstance(peer, BoundedProtocol) and peer._waiting_since_s is not None  # noqa: SLF001
        ]
        longest = min(waiting)[2] if waiting else self
        # Removed here as well as in `connection_lost`, which is called later: many connections may be made before.
        self.connections.discard(longest)
        longest.transport.abort()
