"""Limit how often frames are kept: hard ones by a rate, random ones at random times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


@dataclass
class Rate:
    """A token bucket.

    Attributes:
        per_s: events allowed per second; 0 allows none.
        capacity: events that may follow each other without a pause.

    """

    per_s: float
    capacity: float = 2.0
    _tokens: float = field(init=False)
    _last_s: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._tokens = self.capacity

    def take(self, now_s: float) -> bool:
        """Return whether an event is allowed at this time of a monotonic clock, in seconds; if so, count it."""
        elapsed_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        self._tokens = min(self.capacity, self._tokens + elapsed_s * self.per_s)
        if self._tokens < 1 or self.per_s <= 0:
            return False
        self._tokens -= 1
        return True


class RandomTimes:
    """Times of a Poisson process: every moment has the same chance, whatever the camera shows then.

    A sample of the frames at such times estimates the share of right decisions in the field without bias.
    """

    def __init__(self, per_s: float, generator: random.Random) -> None:
        """Begin without a time.

        Args:
            per_s: mean number of times per second; 0 for none.
            generator: draws the intervals.

        """
        self._per_s = per_s
        self._generator = generator
        self._next_s: float | None = None

    def is_due(self, now_s: float) -> bool:
        """Return whether a time has come on a monotonic clock, in seconds; several that have passed count as one."""
        if self._per_s <= 0:
            return False
        if self._next_s is None:
            self._next_s = now_s + self._generator.expovariate(self._per_s)
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._generator.expovariate(self._per_s)
        return True
