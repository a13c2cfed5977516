"""Walk the segments of a JPEG as a decoder does, without decoding: is it complete, and what does its decoding need?

The names are those of ITU-T T.81, table B.1.
"""

from __future__ import annotations

import io
import re
from typing import NamedTuple

import numpy as np

SOI, END_MARKER = b"\xff\xd8", b"\xff\xd9"
KNOWN_REST = re.compile(rb"[\x00\n\r\t ]*(\xff+[\xd8\xd9]|\xff*\Z)")  # padding, a further image, a second end
LOOK_AHEAD = bytes(16)  # a decoder reads some bytes more than it needs
EOI, SOS, DRI, TEM = 0xD9, 0xDA, 0xDD, 0x01
RESTARTS = frozenset(range(0xD0, 0xD8))
SEGMENTS = frozenset((0xC4, 0xCC, 0xDB, 0xDC, DRI, 0xFE, *range(0xE0, 0xF0)))  # tables, comments, applications' data
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
# In compressed data, 0xff is followed by 0 or by padding, 0xff. Restart markers are allowed if DRI announced them.
MARKER = re.compile(rb"\xff([^\x00\xff])")
MARKER_EXCEPT_RESTART = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
BLOCK_SIDE, BLOCK_COEFFICIENTS, COEFFICIENT_BYTES = 8, 64, 2
SHORT_SCAN = 4096  # bytes that a regular expression searches in less time
BLOCK_BYTES = 1 << 16  # searched at the same time, so that the search needs little memory
MOST_SEGMENTS = 10_000  # a large colour profile has some hundreds
MOST_SCANS = 100  # encoders write at most about 20; each scan costs time, however few bytes it has


class JpegError(Exception):
    """A JPEG that is damaged, or whose decoding would take too long; the message is the reason.

    Attributes:
        is_limit: whether a limit is exceeded.

    """

    def __init__(self, reason: str, *, is_limit: bool = False) -> None:
        super().__init__(reason)
        self.is_limit = is_limit


class Component(NamedTuple):
    """A colour component: its identifier, and how densely it is sampled horizontally and vertically."""

    identifier: int
    across: int
    down: int


class JpegWalk:
    """The walk over one JPEG, which can continue when more of its data has arrived.

    Attributes:
        width: in pixels; 0 before the frame header.
        height: in pixels.
        components: the colour components.
        is_progressive: whether its scans refine each other.
        scans: number of scans so far.
        scanned_blocks: blocks of 8x8 coefficients that these scans contain, all together.
        is_multiscan: whether a decoder has to keep all coefficients, because the first scan is not the only one.
        end: index of the byte after the end of the image; None before it was found.

    """

    def __init__(self) -> None:
        self.width = self.height = self.scans = self.scanned_blocks = 0
        self.components: tuple[Component, ...] = ()
        self.is_progressive = self.is_multiscan = False
        self.end: int | None = None
        self._at = 0
        self._segments = 0
        self._in_scan = self._has_restarts = False

    @property
    def coefficient_bytes(self) -> int:
        """The memory that a decoder needs to keep all coefficients."""
        blocks = sum(self._blocks(component) for component in self.components)
        return blocks * BLOCK_COEFFICIENTS * COEFFICIENT_BYTES

    def advance(self, data: bytes | bytearray, *, header_only: bool = False) -> bool:
        """Continue the walk; return whether it is complete, or needs more data.

        Args:
            data: the JPEG from its first byte, as far as it is known; it may continue after the end of the image.
            header_only: stop after the header of the first scan.

        Raises:
            JpegError: the JPEG is damaged, or has too many segments or scans.

        """
        while self.end is None:
            if not (self._skip_scan(data) if self._in_scan else self._step(data)):
                return False
            if header_only and self._in_scan:
                return True
        return True

    def _step(self, data: bytes | bytearray) -> bool:
        """Process the next segment; return False if it is not complete yet."""
        if self._at == 0:
            return self._start(data)
        while self._at < len(data) and data[self._at] != 0xFF:
            if self.scans:  # before the first scan, a decoder ignores bytes between segments
                raise JpegError("data between its scans")
            self._at = data.find(b"\xff", self._at)
            if self._at < 0:
                self._at = len(data)
        if self._at + 1 >= len(data):
            return False
        marker = data[self._at + 1]
        if marker in (0xFF, TEM) or marker in RESTARTS:
            self._at += 1 if marker == 0xFF else 2
            return True
        if marker == EOI:
            return self._finish()
        return self._segment(data, marker)

    def _start(self, data: bytes | bytearray) -> bool:
        if not data.startswith(SOI[: len(data)]):
            raise JpegError("no start-of-image marker")
        self._at = len(SOI) if len(data) >= len(SOI) else 0
        return bool(self._at)

    def _finish(self) -> bool:
        if not self.scans:
            raise JpegError("no compressed data")
        self.end = self._at + 2
        return True

    def _segment(self, data: bytes | bytearray, marker: int) -> bool:
        if marker != SOS and marker not in SEGMENTS and marker not in FRAMES:
            raise JpegError(f"unexpected marker FF {marker:02X}")
        if self._at + 4 > len(data):
            return False
        after = self._at + 2 + int.from_bytes(data[self._at + 2 : self._at + 4], "big")
        if after < self._at + 4:
            raise JpegError(f"segment FF {marker:02X} without a length")
        if after > len(data):
            return False
        self._segments += 1
        if self._segments > MOST_SEGMENTS:
            raise JpegError(f"more than {MOST_SEGMENTS} segments", is_limit=True)
        if marker not in SEGMENTS or marker == DRI:
            self._read(bytes(data[self._at + 4 : after]), marker)
        self._at = after
        return True

    def _read(self, content: bytes, marker: int) -> None:
        if marker == DRI:
            self._has_restarts = any(content)
        elif marker in FRAMES:
            self._read_frame(content, marker)
        elif marker == SOS:
            self._read_scan(content)

    def _read_frame(self, content: bytes, marker: int) -> None:
        if self.components:
            raise JpegError("two frame headers")
        self.height, self.width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
        triples = [content[at : at + 3] for at in range(6, len(content) - 2, 3)]
        self.components = tuple(Component(t[0], t[1] >> 4 or 1, t[1] & 15 or 1) for t in triples)
        if not (self.width and self.height and self.components):
            raise JpegError("a frame header without a size")
        self.is_progressive = marker in PROGRESSIVE

    def _read_scan(self, content: bytes) -> None:
        if not self.components or not content:
            raise JpegError("a scan without a frame header")
        if self.scans and not self.is_multiscan:
            raise JpegError("a second scan of complete components")
        self.scans += 1
        if self.scans > MOST_SCANS:
            raise JpegError(f"more than {MOST_SCANS} scans", is_limit=True)
        chosen = {content[at] for at in range(1, min(1 + 2 * content[0], len(content)), 2)}
        blocks = [self._blocks(component) for component in self.components if component.identifier in chosen]
        self.scanned_blocks += sum(blocks)
        self.is_multiscan |= self.is_progressive or len(blocks) < len(self.components)
        self._in_scan = True

    def _skip_scan(self, data: bytes | bytearray) -> bool:
        """Go to the marker that ends the compressed data; return False if it has not arrived yet."""
        pattern = MARKER_EXCEPT_RESTART if self._has_restarts else MARKER
        found = pattern.search(data, self._at if self._has_restarts else _possible_marker(data, self._at))
        if found is None:
            self._at = max(self._at, len(data) - data.endswith(b"\xff"))
            return False
        marker = found[1][0]
        if marker not in SEGMENTS and marker not in (EOI, SOS):
            raise JpegError(f"unexpected marker FF {marker:02X} in its compressed data")
        self._at, self._in_scan = found.start(), False
        return True

    def _blocks(self, component: Component) -> int:
        most_across = max(each.across for each in self.components)
        most_down = max(each.down for each in self.components)
        across = -(-self.width * component.across // (most_across * BLOCK_SIDE))
        return across * -(-self.height * component.down // (most_down * BLOCK_SIDE))


def _possible_marker(data: bytes | bytearray, start: int) -> int:
    """Return an index from `start` on before which there is no marker.

    It is that of the first 0xff before another byte than 0. NumPy finds it in a third of the time of a regular
    expression, which matters for every frame of a camera.
    """
    if len(data) - start < SHORT_SCAN:
        return start
    last = len(data) - 1
    for at in range(start, last, BLOCK_BYTES):
        block = np.frombuffer(data, np.uint8, min(BLOCK_BYTES, last - at) + 1, at)
        marks = block[:-1] == 0xFF
        marks &= block[1:] != 0
        first = int(marks.argmax())
        if marks[first]:
            return at + first
    return last


def flaw_of_jpeg(data: bytes) -> str:
    """Return why a JPEG cannot be decoded completely; an empty text if it can.

    A decoder fills a missing part with grey, without an error, so the check is needed before it. Bytes after the end of
    the image are ignored, as decoders do, if the compressed data in front of it is complete.
    """
    walk = JpegWalk()
    try:
        if not walk.advance(data):
            return "no end-of-image marker"
    except JpegError as problem:
        return str(problem)
    # Random bytes contain an end-of-image marker, too, so unknown contents after it need a closer look.
    if KNOWN_REST.match(data, walk.end or 0) or walk.is_multiscan or _has_all_blocks(data, walk):
        return ""
    return "its compressed data ends too early"


def _has_all_blocks(data: bytes, walk: JpegWalk) -> bool:
    """Return whether the compressed data of a single scan is complete: a decoder does not ask for more."""
    from PIL import Image

    # Pillow raises an error if the data ends without an end-of-image marker before all pixels are decoded.
    without_end = data[: (walk.end or 0) - len(END_MARKER)] + LOOK_AHEAD
    try:
        with Image.open(io.BytesIO(without_end), formats=("JPEG",)) as image:
            image.draft(None, (1, 1))  # the smallest scale, which is the fastest
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True
