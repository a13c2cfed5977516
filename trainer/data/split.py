"""Assign each photograph to a split by its content, so that new photographs never move old ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Fractions(NamedTuple):
    """The fractions of all photographs for validation and test; the rest is used for training.

    Attributes:
        validation: in (0, 1): the photographs that choose the best epoch.
        test: in (0, 1): the photographs that measure the result; ignored if the data has its own test part.

    """

    validation: float
    test: float


def share(seed: int, digest: str) -> float:
    """Return the photograph's place in [0, 1), which depends only on the seed and the SHA-256 of its bytes."""
    mixed = hashlib.sha256(f"{seed}:{digest}".encode()).digest()
    return int.from_bytes(mixed[:8], "big") / 2**64


def split_class(digests: Sequence[str], fractions: Fractions, seed: int) -> dict[str, Split]:
    """Split one class.

    Each photograph's split follows from its own content and the seed. Only if a split would be empty, it gets the
    photograph nearest to its range; only such a photograph may move back when photographs are added.

    Args:
        digests: the class's photographs by SHA-256, distinct; at least one for each split.
        fractions: the fractions of validation and test; a split with a fraction of 0 stays empty.
        seed: selects one of the possible splits.

    """
    ranges = _ranges(fractions)
    places = {digest: share(seed, digest) for digest in sorted(digests)}
    chosen = {digest: next(s for s, (low, high) in ranges.items() if low <= at < high) for digest, at in places.items()}
    for split in ranges:
        if split not in chosen.values():
            chosen[_nearest(split, chosen, places, ranges)] = split
    return chosen


def _ranges(fractions: Fractions) -> dict[Split, tuple[float, float]]:
    held_out = fractions.test + fractions.validation
    ranges: dict[Split, tuple[float, float]] = {
        "test": (0.0, fractions.test),
        "validation": (fractions.test, held_out),
        "train": (held_out, 1.0),
    }
    return {split: (low, high) for split, (low, high) in ranges.items() if low < high}


def _nearest(
    split: Split,
    chosen: Mapping[str, Split],
    places: Mapping[str, float],
    ranges: Mapping[Split, tuple[float, float]],
) -> str:
    """Return the photograph nearest to an empty split's range, from a split that has more than one."""
    low, high = ranges[split]
    counts = Counter(chosen.values())
    spare = [digest for digest in chosen if counts[chosen[digest]] > 1]
    return min(spare, key=lambda digest: max(low - places[digest], places[digest] - high))
