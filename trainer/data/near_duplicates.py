"""Find near-duplicate photographs with a perceptual hash."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import imagehash
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.image.preprocess import Pixels

BITS = 64
NEAR = 4  # bits that may differ: the same picture resized or compressed again; other pictures differ in about 32
BANDS = NEAR + 1  # two hashes that differ in at most NEAR bits are equal in at least one of this number of parts


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
