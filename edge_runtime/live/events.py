"""Events over frames: which class came, which left, for how long, and its best frame."""

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
    """A class that is there.

    Attributes:
        label: its name.
        since_s: when it came, in the source's time.
        last_s: when it was last seen, in the same time.
        last_at: the same moment as wall-clock time.
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
    """Turns the stable label of each frame into events; unknown is nobody."""

    def __init__(self) -> None:
        self._present: Presence | None = None

    def update(self, label: str, score: float, frame: Frame, image: Image.Image, at_s: float) -> list[Event]:
        """Take one frame's decision.

        Args:
            label: the stable label.
            score: its smoothed probability, 0..1.
            frame: the frame decided upon.
            image: its picture, decoded; kept while it is the best.
            at_s: the source's time in seconds: a camera's monotonic clock, a video's own.

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
        """Let the present class leave, at a moment, or without one when it was last seen; give "left" or nothing."""
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
    """Give an RGB image as a small JPEG, no side longer than THUMBNAIL_SIDE."""
    small = image.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=THUMBNAIL_QUALITY)
    return stream.getvalue()
