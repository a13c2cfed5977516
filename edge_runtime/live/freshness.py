"""Check that a camera's frame is a new and complete picture, before it is decoded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.live.records import Frame

START_OF_IMAGE, START_OF_SCAN, END_OF_IMAGE = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
# In compressed data, 0xff is followed by 0 or by a restart marker; anything else starts a segment, or is damage.
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# The markers that may follow compressed data: DHT, EOI, SOS, DQT, DNL, DRI, COM (ITU-T T.81, table B.1).
AFTER_SCAN = frozenset((0xC4, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE))
PADDING = b"\x00\xff\n\r"  # bytes that cameras append after the end of the image


def is_new(frame: Frame, before: Frame | None) -> bool:
    """Return whether a frame may be classified: it does not repeat the previous one and is not a damaged JPEG.

    Two pictures of a real camera are never identical, because its sensor always has noise. Identical bytes therefore
    mean that the device repeats an old picture. Damage that keeps the structure of the JPEG is not detected.
    """
    if before is not None and (
        frame.image is before.image or (isinstance(frame.image, bytes) and frame.image == before.image)
    ):
        return False
    return not isinstance(frame.image, bytes) or is_complete_jpeg(frame.image)


def is_complete_jpeg(data: bytes) -> bool:
    """Return whether a JPEG starts and ends with its markers, and its compressed data contains no unexpected marker.

    The check is needed because a decoder fills a missing part with grey, without an error.
    """
    scan = data.find(START_OF_SCAN)
    if not data.startswith(START_OF_IMAGE) or scan < 0:
        return False
    found = MARKER.search(data, scan + 2)
    while found and data[found.start() + 1] != END_OF_IMAGE[1]:
        if data[found.start() + 1] not in AFTER_SCAN:
            return False
        found = MARKER.search(data, found.end())
    return found is not None and not data[found.end() :].strip(PADDING)
