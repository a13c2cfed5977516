"""HTTP cameras: an MJPEG stream, or an address that responds with one JPEG each time, which is requested repeatedly.

Any other stream over HTTP, such as HLS or MPEG-TS, is read with PyAV.
"""

from __future__ import annotations

import copy
import http.client
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_runtime.errors import SourceError
from edge_runtime.image.jpeg import SOI
from edge_runtime.live.records import Frame
from edge_runtime.live.sources.http import connect, reason_of
from edge_runtime.live.sources.mjpeg import MOST_PICTURE_BYTES, MjpegSplitter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from edge_runtime.live.records import Source
    from edge_runtime.live.sources.http import Response

READ_BYTES = 65_536
SNAPSHOT_FPS = 1.0
IMAGES = frozenset({"image/jpeg", "image/jpg", "image/pjpeg"})
# Types that say nothing about the content.
ANY_TYPE = frozenset({"", "application/octet-stream", "video/x-motion-jpeg", "video/x-jpeg", "video/mjpeg"})


@dataclass
class HttpCamera:
    """Yield the JPEGs of an HTTP address; several copies of it can be open at the same time.

    Attributes:
        name: the address without secrets.
        url: the address.
        timeout_s: seconds without data after which opening and a read fail.
        fps: requests per second of an address that responds with one picture.
        other: reads every other kind of stream; None if PyAV is missing.
        live: True.

    """

    name: str
    url: str
    timeout_s: float
    fps: float = SNAPSHOT_FPS
    other: Source | None = None
    live: bool = True
    _response: Response | None = field(default=None, repr=False)
    _opened_other: Source | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        """Connect. Raise SourceError."""
        response = connect(self.url, self.name, self.timeout_s)
        kind = response.content_type
        if kind.startswith("multipart/") or kind in IMAGES or kind in ANY_TYPE:
            self._response = response
            return self
        response.close()
        if kind.startswith(("text/", "image/", "application/json", "application/xhtml")):
            raise SourceError(f"{self.name}: {_why_no_stream(kind)}")
        if self.other is None:
            raise SourceError(f"{self.name}: a stream of type {kind} needs PyAV: pip install 'edgewise[camera]'")
        self._opened_other = copy.copy(self.other).__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        if self._response is not None:
            self._response.close()
        if self._opened_other is not None:
            self._opened_other.__exit__(kind, problem, trace)

    def __iter__(self) -> Iterator[Frame]:
        """Yield its frames. Raise SourceError if a read fails or a picture is too large."""
        if self._opened_other is not None:
            yield from self._opened_other
            return
        if self._response is None:
            return
        try:
            yield from self._snapshots() if self._response.content_type in IMAGES else self._stream(self._response)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise SourceError(f"{self.name}: cannot be read: {reason_of(problem)}") from None

    def _stream(self, response: Response) -> Iterator[Frame]:
        splitter = MjpegSplitter(is_multipart=response.content_type.startswith("multipart/"))
        count, last_s = 0, time.monotonic()
        while data := response.body.read1(READ_BYTES):
            received_s, received_at = time.monotonic(), time.time()
            for picture in splitter.feed(data):
                yield Frame(self.name, count, picture.jpeg, received_at, received_s, flaw=picture.flaw)
                count, last_s = count + 1, received_s
            if received_s - last_s > self.timeout_s:
                raise SourceError(f"{self.name}: sends data, but no picture for {self.timeout_s:g} s")
        if not count:
            raise SourceError(f"{self.name}: contains no JPEG; use the address of its MJPEG stream")

    def _snapshots(self) -> Iterator[Frame]:
        count, due_s = 0, time.monotonic()
        while True:
            response = self._response or connect(self.url, self.name, self.timeout_s)
            self._response = None
            requested_s, requested_at = time.monotonic(), time.time()
            jpeg = _whole(response, self.timeout_s)
            yield Frame(self.name, count, jpeg, requested_at, requested_s)
            count += 1
            due_s = max(due_s + 1 / self.fps, time.monotonic())
            time.sleep(due_s - time.monotonic())


def _whole(response: Response, timeout_s: float) -> bytes:
    """Read a response to its end, and close it. Raise ValueError if it is too large or too slow, or no JPEG."""
    ends_s, data = time.monotonic() + timeout_s, bytearray()
    try:
        while block := response.body.read1(READ_BYTES):
            data += block
            if len(data) > MOST_PICTURE_BYTES:
                raise ValueError(f"a picture of more than {MOST_PICTURE_BYTES // 1_000_000} MB; request a smaller one")
            if time.monotonic() > ends_s:
                raise TimeoutError
    finally:
        response.close()
    if not data.startswith(SOI):
        raise ValueError("the picture is not a JPEG; use the address of a JPEG or of an MJPEG stream")
    return bytes(data)


def _why_no_stream(kind: str) -> str:
    if kind.startswith("image/"):
        return f"sends {kind}; use the address of a JPEG or of an MJPEG stream"
    return f"is a page ({kind}), not a stream; use the address of the camera's MJPEG stream or JPEG, or log in"
