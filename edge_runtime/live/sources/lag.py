"""Compute the age of a received frame from the timestamps of its stream."""

from __future__ import annotations

WINDOW_S = 30.0


class Lag:
    """Measure how long each frame waited in a buffer or on the network.

    The difference between a frame's time of arrival and its timestamp is smallest for frames that did not wait. The
    delay of a frame is its difference minus the smallest difference of the last 30 to 60 seconds. The period is short
    because two clocks drift apart by seconds per day.
    """

    def __init__(self) -> None:
        self._window_began_s = float("-inf")
        self._smallest = self._smallest_before = float("inf")

    def seconds(self, received_s: float, stamped_s: float) -> float:
        """Return the delay of a frame in seconds.

        Args:
            received_s: time of arrival on the monotonic clock, in seconds.
            stamped_s: the timestamp on the stream's own clock, in seconds.

        """
        difference = received_s - stamped_s
        if received_s - self._window_began_s > WINDOW_S:
            self._window_began_s = received_s
            self._smallest_before, self._smallest = self._smallest, difference
        self._smallest = min(self._smallest, difference)
        return difference - min(self._smallest, self._smallest_before)
