"""Check that a camera's frame is a new and complete picture, before it is decoded."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_runtime.errors import SourceError
from edge_runtime.image.jpeg import flaw_of_jpeg
from edge_runtime.image.limits import STREAM, check_jpeg

if TYPE_CHECKING:
    from typing import Literal

    from edge_runtime.live.records import Frame

    SkipKind = Literal["repeated", "damaged", "late"]

SAMPLE_STEP = 16  # rows; two pictures of a real camera differ in the first of them


class Skip(NamedTuple):
    """Why a frame is not classified: its kind, and for a damaged one the reason."""

    kind: SkipKind
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}" if self.reason else self.kind


def check(frame: Frame, before: Frame | None) -> Skip | None:
    """Return why a frame must not be classified; None if it is new and complete.

    Damage that keeps the structure of a JPEG is not detected.
    """
    if frame.flaw:
        return Skip("damaged", frame.flaw)
    if before is not None and is_repeated(frame, before):
        return Skip("repeated")
    flaw = _flaw(frame.image) if isinstance(frame.image, bytes) else ""
    return Skip("damaged", flaw) if flaw else None


def is_repeated(frame: Frame, before: Frame) -> bool:
    """Return whether a frame shows the same picture as the previous one.

    Two pictures of a real camera are never identical, because its sensor always has noise. Identical bytes or pixels
    therefore mean that the device repeats an old picture. In a video stream that encodes differences between pictures,
    identical pixels mean only that the differences were too small to be sent.
    """
    image, other = frame.image, before.image
    if image is other:
        return True
    if isinstance(image, bytes):
        return isinstance(other, bytes) and image == other
    if frame.is_difference_coded or not (isinstance(image, np.ndarray) and isinstance(other, np.ndarray)):
        return False
    if image.shape != other.shape or not np.array_equal(image[::SAMPLE_STEP], other[::SAMPLE_STEP]):
        return False
    return np.array_equal(image, other)


def _flaw(jpeg: bytes) -> str:
    """Return why a JPEG cannot be decoded completely, or would take too much memory or time; or an empty text."""
    try:
        check_jpeg(io.BytesIO(jpeg), STREAM)
    except SourceError as problem:
        return str(problem)
    return flaw_of_jpeg(jpeg)
