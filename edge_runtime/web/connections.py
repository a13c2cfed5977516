"""Limits on connections that uvicorn does not have: peers that send or read too slowly, and too many peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEADER_S = 10.0  # from connecting, or from the end of the previous request, to the end of a request's headers
WRITE_S = 15.0  # for which a peer may leave a response unread
MOST_CONNECTIONS = 64


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 in which every connection is either served or closed within seconds.

    If there are too many, the one that has waited longest without a request is closed, so that new ones are served.
    """

    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection and start its timer."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        for timer in (self._waiting, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Parse the received data; complete headers stop the timer."""
        super().handle_events()
        if self._waiting is not None and self.cycle is not None and not self.cycle.response_complete:
            self._waiting.cancel()
            self._waiting = None

    def on_response_complete(self) -> None:
        """Start the timer for the next request, or for the peer to read the rest of the response and close."""
        self._expect_request()  # first, because a request that has arrived already begins within the call
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the timer for a peer that does not read."""
        super().pause_writing()
        self._unread = self.loop.call_later(WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop that timer."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def _expect_request(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = self.loop.call_later(HEADER_S, self.transport.abort)

    def _make_room(self) -> None:
        others: list[Any] = [peer for peer in self.connections if peer is not self]
        idle = [peer for peer in others if getattr(peer, "_waiting", None) is not None]
        if idle:
            min(idle, key=lambda peer: peer._waiting.when()).transport.abort()  # noqa: SLF001 - one of its own kind
        else:
            self.transport.abort()
