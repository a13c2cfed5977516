"""Limits on connections that uvicorn does not have: slow clients are disconnected, and their number is bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEADER_S = 10.0  # time limit for a request's headers, from the connection or from the end of the previous request
WRITE_S = 15.0  # how long a client may leave a response unread
MAX_CONNECTIONS = 64


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 with time limits for receiving headers and for sending responses.

    If there are more than MAX_CONNECTIONS, the connection that has been idle longest is closed, so that new clients
    are served.
    """

    _header_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection and start the timer for its first request."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._close_longest_idle()
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        for timer in (self._header_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Parse the received data, and stop the timer when a request's headers are complete."""
        super().handle_events()
        if self._header_timer is not None and self.cycle is not None and not self.cycle.response_complete:
            self._header_timer.cancel()
            self._header_timer = None

    def on_response_complete(self) -> None:
        """Start the timer for the next request; it also closes a connection whose client does not close it."""
        self._start_header_timer()  # before the call, which may already start the next pipelined request
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the timer for a client that does not read its response."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer: the client reads again."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()

    def _start_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
        self._header_timer = self.loop.call_later(HEADER_S, self.transport.abort)

    def _close_longest_idle(self) -> None:
        others: list[Any] = [peer for peer in self.connections if peer is not self]
        idle = [peer for peer in others if getattr(peer, "_header_timer", None) is not None]
        if idle:
            min(idle, key=lambda peer: peer._header_timer.when()).transport.abort()  # noqa: SLF001 - of the same class
        else:
            self.transport.abort()
