"""Bounds on connections that uvicorn leaves open-ended: a peer that sends or reads too slowly, and too many peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEADER_S = 10.0  # from connecting, or from the end of the request before, to the end of a request's headers
WRITE_S = 15.0  # for which a peer may leave an answer unread
MOST_CONNECTIONS = 64


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 whose every connection is either served or gone within seconds.

    When there are too many, the one that has waited longest without a request goes, so that who comes is served.
    """

    _waiting: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection and start its clock."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        for timer in (self._waiting, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Parse what has come; whole headers stop the clock."""
        super().handle_events()
        if self._waiting is not None and self.cycle is not None and not self.cycle.response_complete:
            self._waiting.cancel()
            self._waiting = None

    def on_response_complete(self) -> None:
        """Start the clock for the next request, or for the peer to take the rest of the answer and go."""
        self._expect_request()  # first, because a request that has come already begins within the call
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the clock for a peer that does not read."""
        super().pause_writing()
        self._unread = self.loop.call_later(WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop it."""
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
