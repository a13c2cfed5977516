"""What flows through the live loop: a frame from a source, the prediction made from it, the events over predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from edge_runtime.classify.decision import Scored
    from edge_runtime.image.preprocess import ImageSource


@dataclass(frozen=True)
class Frame:
    """One picture from a source.

    Attributes:
        source: the source's name, as the user gave it.
        number: counts what the source delivered, dropped frames included; from 0.
        image: an encoded JPEG as bytes, a PIL image, RGB pixels as uint8 (h, w, 3), or a path.
        captured_at: wall-clock time of capture, seconds since the epoch.
        captured_s: the same moment on the monotonic clock, from which age is reckoned.
        dropped: how many frames were passed over since the previous one that was given out.

    """

    source: str
    number: int
    image: ImageSource
    captured_at: float
    captured_s: float
    dropped: int = 0


class Source(Protocol):
    """Frames, as a context manager and an iterator; the end of a file ends it, a failed read raises SourceError.

    Attributes:
        name: as the user gave it.
        live: a camera, whose old frames are worthless, not a file, which loses none.

    """

    name: str
    live: bool

    def __enter__(self) -> Self:
        """Open it. Raises SourceError."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; never raises."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Give the frames in order. Raises SourceError."""
        ...


@dataclass(frozen=True)
class FramePrediction:
    """A decision about one frame.

    Attributes:
        source: the frame's.
        frame: its number.
        captured_at: its wall-clock time of capture, seconds since the epoch.
        age_ms: from capture to decision.
        dropped: frames passed over since the previous prediction.
        label: the frame's top class, or "unknown".
        score: its probability, 0..1.
        top: the top classes, best first.
        stable: the label decided over frames (smoothing, k of n, hysteresis), or "unknown".
        decode_ms: time to decode.
        preprocess_ms: time to resize to the model's input and to give it the graph's type.
        inference_ms: time that the graph ran.

    """

    source: str
    frame: int
    captured_at: float
    age_ms: float
    dropped: int
    label: str
    score: float
    top: tuple[Scored, ...]
    stable: str
    decode_ms: float
    preprocess_ms: float
    inference_ms: float

    def to_json(self) -> dict[str, Any]:
        """Give a JSON object."""
        return {
            "source": self.source,
            "frame": self.frame,
            "captured_at": round(self.captured_at, 6),
            "age_ms": round(self.age_ms, 3),
            "dropped": self.dropped,
            "label": self.label,
            "score": round(self.score, 6),
            "top": [{"label": item.label, "score": round(item.score, 6)} for item in self.top],
            "stable": self.stable,
            "decode_ms": round(self.decode_ms, 3),
            "preprocess_ms": round(self.preprocess_ms, 3),
            "inference_ms": round(self.inference_ms, 3),
        }


EventKind = Literal["entered", "left", "stalled", "lost", "recovered"]


@dataclass(frozen=True)
class Event:
    """Something that happened, worth telling: a class came or went, or the camera did.

    Attributes:
        kind: "entered" and "left" are about a label, the others about the source.
        source: the source's name.
        at: wall-clock time, seconds since the epoch.
        label: the class; empty for events about the source.
        score: the best smoothed probability of the label so far, 0..1; 0 for events about the source.
        duration_s: for "left", how long it had been there; for "recovered", how long the source was away; else 0.
        frame: number of the frame at which it was decided, or of the best frame for "left".
        detail: for events about the source, why.
        thumbnail: a small JPEG of the best frame, or None.

    """

    kind: EventKind
    source: str
    at: float
    label: str = ""
    score: float = 0.0
    duration_s: float = 0.0
    frame: int = 0
    detail: str = ""
    thumbnail: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """Give a JSON object, without the thumbnail."""
        return {
            "event": self.kind,
            "source": self.source,
            "at": round(self.at, 6),
            "label": self.label,
            "score": round(self.score, 6),
            "duration_s": round(self.duration_s, 3),
            "frame": self.frame,
            "detail": self.detail,
        }


class Sink(Protocol):
    """Where results go. A sink must return at once: one that writes to the outside queues, and drops with a count."""

    def prediction(self, prediction: FramePrediction) -> None:
        """Take a decision about a frame."""
        ...

    def event(self, event: Event) -> None:
        """Take an event."""
        ...

    def close(self) -> None:
        """Deliver what is queued, within a bounded time, and let go; never raises."""
        ...
