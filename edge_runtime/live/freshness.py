"""Whether a camera's frame is a new and whole picture, told before it is decoded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.live.records import Frame

START_OF_IMAGE, START_OF_SCAN, END_OF_IMAGE = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
# In compressed data 0xff is followed by 0 or by a restart marker; anything else begins a segment, or is damage.
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
AFTER_SCAN = frozenset((0xC4, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE))
PADDING = b"\x00\xff\n\r"


def is_new(frame: Frame, before: Frame | None) -> bool:
    """Tell whether a frame can be decided upon: no repetition of the one before, no damaged JPEG.

    No two pictures of a real camera are equal to the last bit, for its sensor is never free of noise; a device that
    sends one again has nothing new to show. Damage that leaves a JPEG's form whole cannot be told.
    """
    if before is not None and (
        frame.image is before.image or (isinstance(frame.image, bytes) and frame.image == before.image)
    ):
        return False
    return not isinstance(frame.image, bytes) or is_whole_jpeg(frame.image)


def is_whole_jpeg(data: bytes) -> bool:
    """Tell whether a JPEG begins and ends as one, and its compressed data holds no foreign marker.

    A decoder would fill what is missing with grey and say nothing.
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
