"""A connection to a device: requests with limits of time and size, repeated if it breaks."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from urllib.parse import urlsplit

from trainer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 3
SOCKET_TIMEOUT_S = 20.0
LEAST_BYTES_PER_S = 10_000  # a slower transfer is given up
BLOCK = 1 << 16


class Address(NamedTuple):
    """The parts of a device's address."""

    scheme: str
    host: str
    port: int | None
    path: str


def parse_address(text: str) -> Address:
    """Parse an address such as http://pi:8080. Raise DataError."""
    parts = urlsplit(text)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise DataError(f"{text}: not an address such as http://pi:8080")
    if parts.username or parts.password:
        raise DataError(f"{parts.scheme}://{host}: keep the token out of the address; pass --token-file FILE")
    return Address(parts.scheme, host, port, parts.path.rstrip("/"))


class Device:
    """A device that serves its pictures. Redirects are not followed, because the token belongs to this address."""

    def __init__(
        self,
        address: str,
        token: str | None,
        *,
        timeout_s: float = SOCKET_TIMEOUT_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._address = parse_address(address)
        self._where = address.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._open: http.client.HTTPConnection | None = None

    def read(self, path: str, limit_bytes: int, stream: BinaryIO) -> str:
        """Request a path and write the answer into a stream, which is emptied first.

        Args:
            path: relative to the address, such as /review/list, encoded.
            limit_bytes: the maximum size of the answer.
            stream: a file in memory or on disk.

        Returns:
            The complete address of the path, for messages.

        Raises:
            DataError: the device cannot be reached, refuses the request, or sends too much or too slowly.

        """
        where = f"{self._where}{path}"
        for attempt in range(1, TRIES + 1):
            stream.seek(0)
            stream.truncate()
            try:
                self._request(path, where, limit_bytes, stream)
            except (OSError, http.client.HTTPException) as problem:
                self.close()
                if attempt == TRIES:
                    raise DataError(
                        f"{where}: {_reason(problem)}; check the address and that edge-run is running, then repeat the "
                        "command: it continues where it stopped"
                    ) from None
                self._sleep(float(attempt))
            else:
                break
        return where

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _request(self, path: str, where: str, limit_bytes: int, stream: BinaryIO) -> None:
        connection = self._connection()
        connection.request("GET", self._address.path + path, headers=self._headers)
        deadline_s = time.monotonic() + self._timeout_s + limit_bytes / LEAST_BYTES_PER_S
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            self.close()
            raise DataError(f"{where}: {_refusal(answer.status)}")
        received = 0
        while block := answer.read1(BLOCK):
            received += len(block)
            if received > limit_bytes:
                self.close()
                raise DataError(f"{where}: sends more than {limit_bytes} bytes")
            if time.monotonic() > deadline_s:
                raise TimeoutError("sends too slowly")
            stream.write(block)
        if answer.length:  # the connection was closed early
            raise http.client.IncompleteRead(b"", answer.length)
        answer.close()  # otherwise the connection could not be used again

    def _connection(self) -> http.client.HTTPConnection:
        if self._open is None:
            kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
            self._open = kind(self._address.host, self._address.port, timeout=self._timeout_s)
        return self._open


def _refusal(status: int) -> str:
    if status in {401, 403}:
        return "the device refuses the token; pass the one of edge-run with --token-file FILE"
    if status == http.client.NOT_FOUND:
        return "not found; edge-run must be of this version, and serve reviewed pictures"
    if 300 <= status < 400:
        return f"redirects to another address (status {status}), which is not followed; pass the final address"
    return f"answers with status {status}"


def _reason(problem: OSError | http.client.HTTPException) -> str:
    if isinstance(problem, http.client.HTTPException):
        return "the connection was closed before everything was received"
    return problem.strerror or str(problem) or type(problem).__name__
