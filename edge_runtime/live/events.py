"""Turn decisions over frames into events: a class entered or left, its duration and its best frame."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.classify.decision import UNKNOWN
from edge_runtime.live.records import Event

if TYPE_CHECKING:
    from PIL import Image

    from edge_runtime.live.records import Frame

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
        frame: the frame of that score.
        image: that frame's picture.

    """

    label: str
    since_s: float
    last_s: float
    last_at: float
    score: float
    frame: Frame
    image: Image.Image


class EventTracker:
    """Turn the stable label of each frame into events; there are none for unknown."""

    def __init__(self) -> None:
        self._present: Presence | None = None

    def update(self, label: str, score: float, frame: Frame, image: Image.Image, at_s: float) -> list[Event]:
        """Update with one frame's decision.

        Args:
            label: the stable label.
            score: its smoothed probability, 0..1.
            frame: the frame.
            image: its decoded picture; kept as long as its score is the best.
            at_s: the source's time in seconds: a camera's monotonic clock, or a video's own time.

        Returns:
            The events, oldest first: none, "left", "entered", or both.

        """
        present = self._present
        if present and present.label == label:
            present.last_s, present.last_at = at_s, frame.captured_at
            if score > present.score:
                present.score, present.frame, present.image = score, frame, image
            return []
        events = self.end(at_s, frame.captured_at)
        if label != UNKNOWN:
            self._present = Presence(label, at_s, at_s, frame.captured_at, score, frame, image)
            events.append(
                Event("entered", frame.source, frame.captured_at, label, score, 0.0, frame.number, "", thumbnail(image))
            )
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
        frame = present.frame
        return [
            Event(
                kind="left",
                source=frame.source,
                at=present.last_at if at is None else at,
                label=present.label,
                score=present.score,
                duration_s=duration_s,
                frame=frame.number,
                thumbnail=thumbnail(present.image),
            )
        ]


def thumbnail(image: Image.Image) -> bytes:
    """Return an RGB image as a JPEG whose longer side has at most THUMBNAIL_SIDE pixels."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=THUMBNAIL_QUALITY)
    return stream.getvalue()
