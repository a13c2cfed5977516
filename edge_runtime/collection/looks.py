"""How a picture looks in 32x32 grey cells: whether two pictures are nearly the same, and an average hash."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from edge_runtime.errors import SourceError
from edge_runtime.image.preprocess import FORMATS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Look: TypeAlias = NDArray[np.uint8]

SIDE, HASH_SIDE = 32, 8
HASH_BITS = HASH_SIDE * HASH_SIDE
# A sensor's noise changes the mean of a cell by less than this; a hand that moves changes some cells by much more.
SAME_MEAN, SAME_CELL = 1.5, 12
BYTE_BITS = np.array([value.bit_count() for value in range(256)], np.uint8)


def look_of(content: bytes | Image.Image) -> Look:
    """Return a picture in grey, reduced to uint8 of shape (32, 32).

    Raises:
        SourceError: an encoded picture cannot be decoded.

    """
    if isinstance(content, Image.Image):
        return _reduced(content)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.draft("L", (SIDE, SIDE))
            return _reduced(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as problem:
        raise SourceError(f"the picture cannot be decoded ({problem})") from None


def _reduced(image: Image.Image) -> Look:
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))


def is_near_repeat(look: Look, before: Look) -> bool:
    """Return whether two pictures differ by no more than a sensor's noise."""
    difference = np.abs(np.subtract(look, before, dtype=np.int16))
    return bool(difference.mean() < SAME_MEAN and difference.max() < SAME_CELL)


def average_hash(look: Look) -> int:
    """Return a hash of 64 bits that similar pictures share for the most part.

    Each bit states whether one of 8x8 cells is brighter than their mean (the "average hash" of N. Krawetz, 2011).
    """
    step = SIDE // HASH_SIDE
    cells = look.reshape(HASH_SIDE, step, HASH_SIDE, step).mean(axis=(1, 3))
    bits = np.packbits(cells > cells.mean())
    return int.from_bytes(bits.tobytes(), "big")


def distances(one: int, others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the number of bits, 0..64, in which a hash differs from each of shape (n,)."""
    different = np.ascontiguousarray(others ^ np.uint64(one)).view(np.uint8).reshape(-1, 8)
    bits: NDArray[np.uint8] = BYTE_BITS[different].sum(axis=1, dtype=np.uint8)
    return bits
