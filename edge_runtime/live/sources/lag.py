"""Compute how old a received frame is, from the stream's own timestamps."""

from __future__ import annotations

WINDOW_S = 30.0


class Lag:
    """Distinguish frames that waited in a buffer or on the network from frames that arrived at once.

    A frame's delay is how much later it arrived, relative to its timestamp, than the fastest frame of the last half to
    one minute. The period is not longer, because two clocks drift apart by seconds per day.
    """

    def __init__(self) -> None:
        self._window_began_s = float("-inf")
        self._least = self._least_before = float("inf")

    def seconds(self, received_s: float, stamped_s: float) -> float:
        """Return by how many seconds a frame is late.

        Args:
            received_s: time of arrival on the monotonic clock.
            stamped_s: its timestamp on the stream's own clock.

        """
        difference = received_s - stamped_s
        if received_s - self._window_began_s > WINDOW_S:
            self._window_began_s = received_s
            self._least_before, self._least = self._least, difference
        self._least = min(self._least, difference)
        return difference - min(self._least, self._least_before)
