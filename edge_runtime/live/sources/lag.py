"""How old a received frame is, reckoned from the stream's own timestamps."""

from __future__ import annotations

WINDOW_S = 30.0


class Lag:
    """Tells frames that waited in a buffer or on the network from frames that came at once.

    A frame's delay is how much later it came, against its timestamp, than the promptest frame of the last half to
    one minute: no longer, because two clocks drift apart by seconds a day.
    """

    def __init__(self) -> None:
        self._window_began_s = float("-inf")
        self._least = self._least_before = float("inf")

    def seconds(self, received_s: float, stamped_s: float) -> float:
        """Give how many seconds late a frame is.

        Args:
            received_s: when it came, on the monotonic clock.
            stamped_s: its timestamp, on the stream's own clock.

        """
        difference = received_s - stamped_s
        if received_s - self._window_began_s > WINDOW_S:
            self._window_began_s = received_s
            self._least_before, self._least = self._least, difference
        self._least = min(self._least, difference)
        return difference - min(self._least, self._least_before)
