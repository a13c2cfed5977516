"""Find the JPEGs in the bytes of an MJPEG stream, whatever its server writes between them.

The JPEGs are found by their own segments, not by boundaries and lengths, which many servers leave out or write wrongly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.image.jpeg import SOI, JpegError, JpegWalk

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PICTURE_BYTES = 10_000_000
# A part's header ends with an empty line. A JPEG that follows another one directly, such as a preview, is no frame.
START_OF_PART = re.compile(rb"(?:\r?\n){2}\s{0,8}\xff\xd8")
LONGEST_START = 64  # bytes that may belong to the beginning of a part and must be kept


class Picture(NamedTuple):
    """A JPEG of the stream; if it is damaged, the reason is in `flaw` and `jpeg` is empty."""

    jpeg: bytes
    flaw: str = ""


class MjpegSplitter:
    """Cut a stream into JPEGs; at most one picture is kept in memory."""

    def __init__(self, *, is_multipart: bool = False) -> None:
        """Begin with the first byte after the response's headers.

        Args:
            is_multipart: whether the server announced text before each JPEG; otherwise the first bytes show it.

        """
        self._is_multipart = is_multipart
        self._is_at_start = True
        self._data = bytearray()
        self._walk: JpegWalk | None = None

    def feed(self, data: bytes) -> Iterator[Picture]:
        """Add the next bytes of the stream; yield the pictures that are complete now, or found damaged."""
        self._data += data
        if self._is_at_start:
            self._data = self._data.lstrip()
            if len(self._data) < len(SOI):
                return
            self._is_at_start = False
            if self._data.startswith(SOI):
                self._walk = JpegWalk()
            else:
                self._is_multipart = True
        while self._walk is not None or self._find_start():
            picture = self._next()
            if picture is None:
                return
            yield picture

    def _find_start(self) -> bool:
        """Drop what is in front of the next JPEG; return whether it begins."""
        if self._is_multipart:
            found = START_OF_PART.search(self._data)
            start = found.end() - len(SOI) if found else -1
        else:
            start = self._data.find(SOI)
        if start < 0:
            del self._data[:-LONGEST_START]
            return False
        del self._data[:start]
        self._walk = JpegWalk()
        return True

    def _next(self) -> Picture | None:
        """Return the picture at the start of the data; None if more data is needed."""
        walk = self._walk or JpegWalk()
        try:
            is_complete = walk.advance(self._data)
        except JpegError as problem:
            return self._damaged(str(problem))
        if not is_complete:
            is_too_large = len(self._data) > MOST_PICTURE_BYTES
            return self._damaged(f"more than {MOST_PICTURE_BYTES // 1_000_000} MB") if is_too_large else None
        self._walk = None
        jpeg = bytes(self._data[: walk.end])
        del self._data[: walk.end]
        return Picture(jpeg)

    def _damaged(self, reason: str) -> Picture:
        """Discard the picture at the start of the data; the next one is searched behind its first marker."""
        self._walk = None
        del self._data[: len(SOI)]
        return Picture(b"", reason)
