"""Assign each photograph to a split by its content or its burst, so that new photographs never move old ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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


def share(seed: int, key: str) -> float:
    """Return the place of a photograph or a burst in [0, 1), which depends only on the seed and its key.

    The key is the SHA-256 of the photograph's bytes, or the burst's name.
    """
    mixed = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(mixed[:8], "big") / 2**64


def split_class(
    keys: Collection[str],
    fractions: Fractions,
    seed: int,
    *,
    fixed: Collection[str] = (),
    from_train: Collection[str] = (),
    held_out: Collection[Split] = (),
    filled: Collection[Split] = (),
) -> dict[str, Split]:
    """Split one class.

    Each key's split follows from itself and the seed. Only if a split would be empty, it gets the key nearest to its
    range; only such a key may move back when photographs are added.

    Args:
        keys: the class's photographs and bursts, as in `share`; at least one for each split.
        fractions: the fractions of validation and test; a split with a fraction of 0 stays empty.
        seed: selects one of the possible splits.
        fixed: keys that are not moved to fill an empty split, because other classes have them, too.
        from_train: keys in a folder for training, which get none of the splits `held_out`.
        held_out: the splits for which the data has a folder.
        filled: the splits that have photographs of this class already.

    Raises:
        ValueError: a split stays empty.

    """
    ranges = _ranges(fractions)
    fewer = _ranges(
        Fractions(*(0.0 if split in held_out else getattr(fractions, split) for split in ("validation", "test")))
    )
    places = {key: share(seed, key) for key in sorted(set(keys))}
    chosen = {key: _split_at(at, fewer if key in from_train else ranges) for key, at in places.items()}
    movable = {key: at for key, at in places.items() if key not in fixed}
    for split in ranges:
        if split not in filled and split not in chosen.values():
            bounds = (fewer if from_train else ranges).get(split, ranges[split])
            nearest = _nearest(bounds, chosen, movable)
            if nearest is None:
                raise ValueError(f"no photograph is left for {split}")
            chosen[nearest] = split
    return chosen


def _split_at(at: float, ranges: Mapping[Split, tuple[float, float]]) -> Split:
    return next(split for split, (low, high) in ranges.items() if low <= at < high)


def _ranges(fractions: Fractions) -> dict[Split, tuple[float, float]]:
    held_out = fractions.test + fractions.validation
    ranges: dict[Split, tuple[float, float]] = {
        "test": (0.0, fractions.test),
        "validation": (fractions.test, held_out),
        "train": (held_out, 1.0),
    }
    return {split: (low, high) for split, (low, high) in ranges.items() if low < high}


def _nearest(bounds: tuple[float, float], chosen: Mapping[str, Split], movable: Mapping[str, float]) -> str | None:
    """Return the movable key nearest to an empty split's range, from a split that has more than one; None if none."""
    low, high = bounds
    counts = Counter(chosen.values())
    spare = [key for key in movable if counts[chosen[key]] > 1]
    return min(spare, key=lambda key: max(low - movable[key], movable[key] - high), default=None)
