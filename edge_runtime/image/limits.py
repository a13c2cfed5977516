"""Limits on the pixels, the memory and the time of decoding an image, checked on its header before the work begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from edge_runtime.errors import SourceError
from edge_runtime.image.jpeg import SOI, JpegError, JpegWalk

if TYPE_CHECKING:
    from PIL import Image

MEGA = 1_000_000
BLOCK_BYTES = 65_536
MOST_READS = 100_000  # Pillow reads each small part of a file by itself; more of them would take seconds
# Bytes per pixel of Pillow's pictures; modes that are not named here take four.
PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
RGB_BYTES = 4
# Bytes per pixel that these decoders keep until Pillow has copied the picture.
DECODER_BYTES = {"WEBP": 12, "AVIF": 12, "HEIF": 12}


class LimitError(SourceError):
    """An image whose decoding would take too many pixels, or too much memory or time."""


@dataclass(frozen=True)
class Limits:
    """The most that one image may take.

    Attributes:
        pixels: of the decoded picture; a JPEG may be decoded at a smaller scale than its own.
        coded_pixels: of the picture in the file.
        memory_bytes: for decoding it and turning it into upright RGB.
        scanned_blocks: blocks of 8x8 pixels in all scans of a JPEG, each of which takes time.

    """

    pixels: int = 64 * MEGA
    coded_pixels: int = 178 * MEGA
    memory_bytes: int = 300 * MEGA
    scanned_blocks: int = 32 * MEGA


FILE = Limits()  # a device with 512 MB can decode it
# Other machines decide what arrives from a camera or in a request.
STREAM = Limits(coded_pixels=64 * MEGA, memory_bytes=90 * MEGA, scanned_blocks=8 * MEGA)


class CountedReads:
    """A file that raises LimitError when it is read too many times, so that reading a header takes a limited time."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._read = file.read
        self._left = MOST_READS

    def read(self, size: int = -1) -> bytes:
        """Read as the file does."""
        self._left -= 1
        if self._left < 0:
            raise LimitError("it consists of too many parts; save it again with another program")
        return self._read(size)


def check_jpeg(file: IO[bytes], limits: Limits) -> JpegWalk | None:
    """Check the segments of a JPEG, and seek back to the file's start.

    Only a JPEG with several scans is read to its end.

    Returns:
        The walk over its segments; None for another format, or for damage, which the decoder reports.

    Raises:
        LimitError: it has too many pixels, segments or scans.

    """
    data = bytearray(file.read(len(SOI)))
    walk = JpegWalk()
    try:
        if data != SOI or not _walk(walk, data, file, limits, header_only=True):
            return None
        if walk.is_multiscan:
            _walk(walk, data, file, limits, header_only=False)
    except JpegError as problem:
        if problem.is_limit:
            raise LimitError(f"{problem}; save it again with another program") from None
        return walk if walk.scans else None
    finally:
        file.seek(0)
    return walk


def _walk(walk: JpegWalk, data: bytearray, file: IO[bytes], limits: Limits, *, header_only: bool) -> bool:
    """Read from the file until the walk is complete; return False if the file ends before."""
    while not walk.advance(data, header_only=header_only):
        check_walk(walk, limits)
        block = file.read(BLOCK_BYTES)
        if not block:
            return False
        data += block
        if len(data) > limits.memory_bytes // 2:
            raise LimitError(f"more than {limits.memory_bytes // 2 // MEGA} MB; reduce the image first")
    check_walk(walk, limits)
    return True


def check_walk(walk: JpegWalk, limits: Limits) -> None:
    """Raise LimitError if a JPEG has too many pixels, or if its scans would take too long to decode."""
    check_coded_pixels((walk.width, walk.height), limits)
    if walk.scanned_blocks > limits.scanned_blocks:
        raise LimitError(f"its {walk.scans} scans would take too long to decode; save it as a baseline JPEG")


def check_coded_pixels(size: tuple[int, int], limits: Limits) -> None:
    """Raise LimitError if a picture of this width and height has too many pixels."""
    if size[0] * size[1] > limits.coded_pixels:
        raise _too_many_pixels(size, limits.coded_pixels)


def check_memory(image: Image.Image, walk: JpegWalk | None, limits: Limits, *, is_turned: bool = False) -> None:
    """Raise LimitError if decoding an opened image would take too many pixels or too much memory.

    Args:
        image: not decoded yet, with the size at which it will be decoded.
        walk: its segments, if it is a JPEG.
        limits: the limits.
        is_turned: whether a turned copy will be made.

    """
    width, height = image.size
    if width * height > limits.pixels:
        raise _too_many_pixels(image.size, limits.pixels)
    per_pixel = PIXEL_BYTES.get(image.mode, RGB_BYTES) * (2 if is_turned else 1)
    per_pixel += DECODER_BYTES.get(image.format or "", 0)
    per_pixel += 0 if image.mode == "RGB" and "transparency" not in image.info else RGB_BYTES
    needed = per_pixel * width * height + (walk.coefficient_bytes if walk and walk.is_multiscan else 0)
    if needed > limits.memory_bytes:
        advice = "save it as a baseline JPEG, or reduce it first" if walk else "reduce the image first"
        if walk:  # the decoder keeps all of it, even if it reduces the picture
            width, height = walk.width, walk.height
        raise LimitError(
            f"{width}x{height} pixels, which need {needed // MEGA} MB to decode, over the limit of "
            f"{limits.memory_bytes // MEGA} MB; {advice}"
        )


def _too_many_pixels(size: tuple[int, int], limit: int) -> LimitError:
    return LimitError(f"{size[0]}x{size[1]} pixels, over the limit of {limit // MEGA} million; reduce the image first")
