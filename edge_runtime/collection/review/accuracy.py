"""The accuracy in the field, estimated from the random sample that was reviewed."""

from __future__ import annotations

import math
from typing import NamedTuple

Z = 1.959964  # the 97.5th percentile of the standard normal distribution


class FieldAccuracy(NamedTuple):
    """An accuracy and its interval.

    Attributes:
        right: number of right decisions.
        total: number of reviewed frames of the random sample.
        low: lower end of the 95% interval, 0..1.
        high: upper end of the interval.
        artifact: name of the artifact that decided.

    """

    right: int
    total: int
    low: float
    high: float
    artifact: str


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Return the 95% interval of a proportion, (0, 1) for a total of 0.

    Wilson's score interval (Wilson 1927; recommended for small samples by Brown, Cai and DasGupta 2001). It takes the
    frames as independent of each other.
    """
    if total <= 0:
        return 0.0, 1.0
    share, spread = right / total, Z * Z / total
    centre = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, centre - half), min(1.0, centre + half)
