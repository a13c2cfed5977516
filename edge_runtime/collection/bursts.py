"""Assign pictures to bursts: pictures that show the same moment or scene, which a split must not separate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.collection.looks import is_near_repeat
from edge_runtime.collection.names import new_burst
from edge_runtime.live.sources.images import ImageFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_runtime.collection.looks import Look
    from edge_runtime.live.records import Frame, Source

GAP_S = 2.0
LONGEST_EVENT_S = 300.0  # a class may be present all day, while what shows it changes


@dataclass
class Bursts:
    """The burst of the newest picture, from which that of the next one follows.

    Attributes:
        make: returns the identifier of a new burst.

    """

    make: Callable[[], str] = new_burst
    _burst: str = ""
    _began_s: float = 0.0
    _last_s: float = 0.0
    _event: int | None = None
    _look: Look | None = None

    def next(self, at_s: float, look: Look, event: int | None = None) -> str:
        """Return the burst of the next picture.

        It is that of the previous picture if less than two seconds have passed, if it is a near-repeat, or if it
        belongs to the same event, which counts for five minutes.

        Args:
            at_s: time of capture on a monotonic clock, in seconds.
            look: as `looks.look_of` returns it.
            event: number of the event during which it was captured; None if there is none.

        """
        is_same = bool(self._burst) and (
            at_s - self._last_s < GAP_S
            or (self._look is not None and is_near_repeat(look, self._look))
            or (event is not None and event == self._event and at_s - self._began_s < LONGEST_EVENT_S)
        )
        if not is_same:
            self._burst, self._began_s = self.make(), at_s
        self._last_s, self._look, self._event = at_s, look, event
        return self._burst


def moment_of(source: Source) -> Callable[[Frame], float]:
    """Return a function that returns a frame's time in seconds, for bursts and rates.

    It is a camera's monotonic clock or a video's own time. Image files have no time; each one is a moment of its own.
    """
    if isinstance(source, ImageFiles):
        return lambda frame: frame.number * 2 * LONGEST_EVENT_S
    if source.live:
        return lambda frame: frame.captured_s
    return lambda frame: frame.captured_at
