"""Find near-duplicate photographs: candidates by a perceptual hash, confirmed by their pixels."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import imagehash
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

BITS = 64
NEAR = 4  # bits that may differ: the same picture resized or compressed again; other pictures differ in about 32
BANDS = NEAR + 1  # two hashes that differ in at most NEAR bits are equal in at least one of this number of parts
SIDE = 32  # pixels of the copies that are compared: smaller than the differences that compression makes
# The largest root mean square difference, of 255. Pictures that were compressed at quality 30, halved, or made lighter,
# darker, paler or grey differ by at most 11 (99% of 400), different drawings of the same shape by 17 or more.
MAX_DIFFERENCE = 12.0
MAX_GAIN = 2.0  # of brightness, so that a plain picture is no copy of every other one
CROPS = (0.02, 0.04)  # margins of each side that one of the pictures may have lost
MIN_COLOUR = 4.0  # mean distance of the channels, of 255, below which a picture is grey


class Pair(NamedTuple):
    """Two near-duplicates: their positions, and the number of the hash's 64 bits that differ."""

    first: int
    second: int
    distance: int


def perceptual_hash(pixels: Pixels) -> int:
    """Return the 64-bit hash of a picture's low frequencies (imagehash's pHash) of uint8 pixels (H, W, 3)."""
    return int(str(imagehash.phash(Image.fromarray(pixels))), 16)


def near_pairs(hashes: Sequence[int]) -> list[Pair]:
    """Return all pairs of hashes that differ in at most NEAR bits, in order."""
    width = -(-BITS // BANDS)
    found: set[Pair] = set()
    for band in range(BANDS):
        alike: defaultdict[int, list[int]] = defaultdict(list)
        for at, value in enumerate(hashes):
            alike[value >> (band * width) & ((1 << width) - 1)].append(at)
        for group in alike.values():
            for first, second in combinations(group, 2):
                distance = (hashes[first] ^ hashes[second]).bit_count()
                if distance <= NEAR:
                    found.add(Pair(first, second, distance))
    return sorted(found)


def is_same_picture(first: Pixels, second: Pixels) -> bool:
    """Return whether two pictures are copies of one: resized, compressed, made lighter or darker, grey, or cropped.

    The hash knows only the coarse outlines, which different pictures of one kind share.

    Args:
        first: uint8 of shape (H, W, 3).
        second: the same shape.

    """
    whole = _reduced(first), _reduced(second)
    pairs = [whole, *((whole[0], _reduced(second, margin)) for margin in CROPS)]
    pairs += [(_reduced(first, margin), whole[1]) for margin in CROPS]
    return any(_difference(one, other) <= MAX_DIFFERENCE for one, other in pairs)


def _reduced(pixels: Pixels, margin: float = 0.0) -> NDArray[np.float64]:
    """Return a copy of SIDE x SIDE pixels, float64 (SIDE, SIDE, 3), without a margin of each side."""
    image = Image.fromarray(pixels)
    x, y = margin * image.width, margin * image.height
    box = (x, y, image.width - x, image.height - y)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, box=box), np.float64)


def _difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the root mean square difference after the best common gain and offset; infinite for another gain."""
    if min(np.ptp(first, axis=2).mean(), np.ptp(second, axis=2).mean()) < MIN_COLOUR:
        first, second = (one @ (0.299, 0.587, 0.114) for one in (first, second))  # ITU-R BT.601
    x, y = first.ravel() - first.mean(), second.ravel() - second.mean()
    product, x_power, y_power = float(x @ y), float(x @ x), float(y @ y)
    if product <= 0:
        return 0.0 if not (x_power or y_power) else float("inf")
    gains = product / x_power, product / y_power
    if max(gains) > MAX_GAIN or min(gains) < 1 / MAX_GAIN:
        return float("inf")
    # The residual of least squares is power * (1 - correlation ** 2); the brighter picture's is the larger one.
    return float(np.sqrt(max(x_power, y_power) * max(0.0, 1 - product**2 / (x_power * y_power)) / len(x)))
