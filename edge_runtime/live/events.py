"""Turn decisions over frames into events: a class entered or left, its duration and its best frame."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.classify.decision import UNKNOWN
from edge_runtime.live.records import Event

if TYPE_CHECKING:
    from PIL import Image

    from edge_runtime.live.records import EventKind, Frame

THUMBNAIL_SIDE = 160
THUMBNAIL_QUALITY = 75


@dataclass
class Presence:
    """A class that is present.

    Attributes:
        label: its label.
        since_s: when it entered, in seconds of the source's clock.
        last_s: when it was last seen, on the same clock.
        last_at: the same moment as wall-clock time, seconds since the epoch.
        score: its best smoothed probability so far.
        familiarity: the smoothed familiarity of that frame; None if the model does not compute it.
        frame: the frame of that score.
        image: that frame's picture.

    """

    label: str
    since_s: float
    last_s: float
    last_at: float
    score: float
    familiarity: float | None
    frame: Frame
    image: Image.Image


class EventTracker:
    """Turn the stable label of each frame into events; there are none for unknown."""

    def __init__(self) -> None:
        self._present: Presence | None = None

    def update(
        self,
        label: str,
        score: float,
        frame: Frame,
        image: Image.Image,
        at_s: float,
        familiarity: float | None = None,
    ) -> list[Event]:
        """Update with one frame's decision.

        Args:
            label: the stable label.
            score: its smoothed probability, 0..1.
            frame: the frame.
            image: its decoded picture; kept as long as its score is the best.
            at_s: the source's time in seconds: a camera's monotonic clock, or a video's own time.
            familiarity: the smoothed familiarity, 0..1; None if the model does not compute it.

        Returns:
            The events, oldest first: none, "left", "entered", or both.

        """
        present = self._present
        if present and present.label == label:
            present.last_s, present.last_at = at_s, frame.captured_at
            if score > present.score:
                present.score, present.familiarity = score, familiarity
                present.frame, present.image = frame, image
            return []
        events = self.end(at_s, frame.captured_at)
        if label != UNKNOWN:
            self._present = Presence(label, at_s, at_s, frame.captured_at, score, familiarity, frame, image)
            events.append(_event("entered", self._present, frame.captured_at, 0.0))
        return events

    def end(self, at_s: float | None = None, at: float | None = None) -> list[Event]:
        """End the presence of the present class, if any, and return its "left" event.

        Args:
            at_s: time of the end on the source's clock; None uses the time when the class was last seen.
            at: the same as wall-clock time.

        """
        present, self._present = self._present, None
        if present is None:
            return []
        duration_s = (present.last_s if at_s is None else at_s) - present.since_s
        return [_event("left", present, present.last_at if at is None else at, duration_s)]


def _event(kind: EventKind, present: Presence, at: float, duration_s: float) -> Event:
    return Event(
        kind=kind,
        source=present.frame.source,
        at=at,
        label=present.label,
        score=present.score,
        duration_s=duration_s,
        frame=present.frame.number,
        thumbnail=thumbnail(present.image),
        familiarity=present.familiarity,
    )


def thumbnail(image: Image.Image) -> bytes:
    """Return an RGB image as a JPEG whose longer side has at most THUMBNAIL_SIDE pixels."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=THUMBNAIL_QUALITY)
    return stream.getvalue()
