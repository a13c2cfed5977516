"""Write PNG files of any size quickly: Pillow would filter hundreds of millions of pixels row by row."""

from __future__ import annotations

import struct
import zlib


def plain_png(width, height, max_bytes=50_000_000):
    """Return a small PNG file whose header declares width x height pixels.

    The image has one color and 1 bit per pixel. If the uncompressed pixels would exceed `max_bytes`, the last rows are
    missing.
    """
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(min((width // 8 + 2) * height, max_bytes)), 1)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
