"""What the live loop counts, and the functions that it calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge_runtime.errors import SourceError
    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.live.freshness import Skip
    from edge_runtime.live.records import Event, Frame, FramePrediction


@dataclass
class Tally:
    """Counts of what the loop has processed.

    Attributes:
        predictions: classified frames.
        unchanged: frames skipped because the scene had not changed.
        unreadable: frames that could not be decoded.
        skipped: number of frames that were not passed on to the decoder, by the reason.
        events: number of events by kind.
        has_ended: whether the source has ended, not only the loop.

    """

    predictions: int = 0
    unchanged: int = 0
    unreadable: int = 0
    skipped: Mapping[Skip, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    has_ended: bool = False


def _do_nothing(*_: object) -> None:
    """Do nothing; the default of the hooks."""


def inspect_nothing(_pixels: Pixels, _prediction: FramePrediction) -> tuple[Event, ...]:
    """Return no events; the default of `Hooks.inspect`."""
    return ()


@dataclass(frozen=True)
class Hooks:
    """Functions that the loop calls in its own thread.

    Attributes:
        heartbeat: called while the source is alive, see MEANINGS, and the loop keeps up with it; a watchdog that it
            notifies detects every kind of stall.
        on_frame: called with each frame and its prediction, before the sinks.
        on_unreadable: called with each frame that could not be decoded, and the reason.
        on_skipped: called with the counts of the frames that were not passed on, after these have grown.
        inspect: called with the model's input, uint8 of shape (height, width, 3), and the prediction, after the sinks;
            returns events to publish.

    """

    heartbeat: Callable[[], None] = _do_nothing
    on_frame: Callable[[Frame, FramePrediction], None] = _do_nothing
    on_unreadable: Callable[[Frame, SourceError], None] = _do_nothing
    on_skipped: Callable[[Mapping[Skip, int]], None] = _do_nothing
    inspect: Callable[[Pixels, FramePrediction], Iterable[Event]] = inspect_nothing
