"""The content of a frame as a file for training: unscaled, upright, and in the camera's own encoding if possible."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.collection.looks import look_of
from edge_runtime.errors import SourceError
from edge_runtime.image.jpeg import SOI
from edge_runtime.image.limits import STREAM
from edge_runtime.image.preprocess import load_image
from edge_runtime.image.upright import UPRIGHT
from edge_runtime.storage.regular_files import read_at_most

if TYPE_CHECKING:
    from typing import Literal

    from edge_runtime.collection.looks import Look
    from edge_runtime.image.preprocess import Roi
    from edge_runtime.image.upright import Mount
    from edge_runtime.live.records import Frame

QUALITY = 95  # of pictures that are encoded here, with full resolution of the colours
MOST_BYTES = 50_000_000
PNG = b"\x89PNG\r\n\x1a\n"
# The EXIF orientations (TIFF 6.0, tag 274) that turn a picture as a mount does, by rotation and flip.
ORIENTATIONS = {
    (0, "horizontal"): 2, (180, ""): 3, (0, "vertical"): 4, (90, "horizontal"): 5, (90, ""): 6,
    (90, "vertical"): 7, (270, ""): 8, (180, "horizontal"): 4, (180, "vertical"): 2, (270, "horizontal"): 7,
    (270, "vertical"): 5,
}  # fmt: skip
# A segment APP1 whose only entry is the orientation, in the last byte but six.
EXIF = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0"


class Picture(NamedTuple):
    """A picture that can be stored.

    Attributes:
        content: the file's content.
        suffix: "jpg" or "png".
        look: what the picture looks like, upright.

    """

    content: bytes
    suffix: Literal["jpg", "png"]
    look: Look


def picture_of(frame: Frame, roi: Roi | None = None) -> Picture:
    """Return a frame as a picture to store.

    A complete JPEG or PNG keeps its bytes; a JPEG of a camera that is not mounted upright gets an EXIF orientation.
    Everything else is encoded as JPEG of quality 95.

    Args:
        frame: the frame.
        roi: x, y, width and height of the region to store, in pixels of the upright picture; None stores all of it.

    Raises:
        SourceError: the picture cannot be decoded.

    """
    source = frame.image
    encoded = _encoded(source) if isinstance(source, (bytes, str, os.PathLike)) else None
    if encoded is not None and roi is None:
        turned = _with_orientation(encoded, frame.mount)
        if turned is not None:
            upright = load_image(turned, None, limits=STREAM)
            return Picture(turned, "png" if turned.startswith(PNG) else "jpg", look_of(upright))
    image = load_image(source if encoded is None else encoded, None, roi, mount=frame.mount, limits=STREAM)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return Picture(stream.getvalue(), "jpg", look_of(image))


def _encoded(source: bytes | str | os.PathLike[str]) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return read_at_most(Path(source), MOST_BYTES)
    except OSError as problem:
        raise SourceError(f"{source}: cannot be read: {problem.strerror or problem}") from None


def _with_orientation(encoded: bytes, mount: Mount) -> bytes | None:
    """Return a JPEG or PNG that decoders show as the mount requires; None if its pixels must be turned."""
    if mount == UPRIGHT:
        return encoded if encoded.startswith((SOI, PNG)) else None
    if not encoded.startswith(SOI) or b"Exif\0\0" in encoded:
        return None
    return SOI + EXIF % ORIENTATIONS[mount.rotate, mount.flip] + encoded[len(SOI) :]
