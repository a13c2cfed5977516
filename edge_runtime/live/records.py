"""The data of the live loop: frames, their predictions, events, and the protocols of sources and sinks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from edge_runtime.classify.decision import UNKNOWN
from edge_runtime.errors import SourceError
from edge_runtime.image.upright import UPRIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from edge_runtime.classify.decision import Scored
    from edge_runtime.image.preprocess import ImageSource
    from edge_runtime.image.upright import Mount


class SettingsError(SourceError):
    """A source whose name, settings or login are wrong, so that opening it again cannot help."""


@dataclass(frozen=True)
class Frame:
    """One picture of a source.

    Attributes:
        source: the source's name, as the user gave it.
        number: counts the frames that the source delivered, including dropped ones; from 0.
        image: an encoded JPEG as bytes, a PIL image, RGB pixels as uint8 (height, width, 3), or a path.
        captured_at: wall-clock time of capture, seconds since the epoch.
        captured_s: the same time on the monotonic clock, from which the age is computed.
        dropped: number of frames that were skipped since the previous frame that was passed on.
        mount: how the picture must be turned, because the camera is not mounted upright.
        flaw: why the picture cannot be classified, if the source has found it damaged; then `image` has no meaning.
        is_difference_coded: whether the picture was encoded as differences to others, so that equal pixels do not mean
            that the device repeats a picture.

    """

    source: str
    number: int
    image: ImageSource
    captured_at: float
    captured_s: float
    dropped: int = 0
    mount: Mount = UPRIGHT
    flaw: str = ""
    is_difference_coded: bool = False


class Source(Protocol):
    """Frames, as a context manager and an iterator.

    The end of a file ends the iteration; a failed read raises SourceError.

    Attributes:
        name: the name that the user gave.
        live: True for a camera, of which only the newest frame matters; False for a file, of which every frame is read.

    """

    name: str
    live: bool

    def __enter__(self) -> Self:
        """Open the source. Raise SourceError."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the source; never raise."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order. Raise SourceError."""
        ...


@dataclass(frozen=True)
class FramePrediction:
    """The decision about one frame.

    Attributes:
        source: the source's name.
        frame: the frame's number.
        captured_at: wall-clock time of capture, seconds since the epoch.
        age_ms: time from capture to decision.
        dropped: number of frames skipped since the previous prediction.
        label: the frame's top class, or "unknown".
        score: its probability, 0..1; see `Decision`.
        top: the top classes, in descending order of their scores.
        stable: the label decided over frames (smoothing, k of n, hysteresis), or "unknown".
        decode_ms: time to decode.
        preprocess_ms: time to resize to the model's input and to convert it to the graph's type.
        inference_ms: time to run the model.
        familiarity: the probability that the frame shows what the model was trained on, 0..1; None if the model does
            not compute it.

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
    familiarity: float | None = None

    @property
    def is_unfamiliar(self) -> bool:
        """Return whether the label is unknown because of the familiarity, not because of a class's threshold."""
        return self.label == UNKNOWN and self.familiarity is not None and self.score == 1 - self.familiarity

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "source": self.source,
            "frame": self.frame,
            "captured_at": round(self.captured_at, 6),
            "age_ms": round(self.age_ms, 3),
            "dropped": self.dropped,
            "label": self.label,
            "score": round(self.score, 6),
            "top": [{"label": item.label, "score": round(item.score, 6)} for item in self.top],
            "familiarity": _rounded(self.familiarity),
            "stable": self.stable,
            "decode_ms": round(self.decode_ms, 3),
            "preprocess_ms": round(self.preprocess_ms, 3),
            "inference_ms": round(self.inference_ms, 3),
        }


EventKind = Literal["entered", "left", "stalled", "lost", "recovered", "drifted", "drift_ended"]


@dataclass(frozen=True)
class Event:
    """A class entered or left, the state of the camera changed, or what it sees differs from the training.

    Attributes:
        kind: "entered" and "left" refer to a label, the others to the source.
        source: the source's name.
        at: wall-clock time, seconds since the epoch.
        label: the class; empty for events about the source.
        score: the best smoothed probability of the label so far, 0..1; 0 for events about the source.
        duration_s: for "left", how long the class was present; for "recovered", how long the camera was away; for
            "drift_ended", how long what it saw was different; else 0.
        frame: number of the frame at which the event was decided; for "left", of the best frame.
        detail: for events about the source, the reason.
        thumbnail: a small JPEG of the best frame, or None.
        familiarity: the smoothed familiarity of the same frame as the score, 0..1; None for events about the source,
            and if the model does not compute it.

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
    familiarity: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object, without the thumbnail."""
        return {
            "event": self.kind,
            "source": self.source,
            "at": round(self.at, 6),
            "label": self.label,
            "score": round(self.score, 6),
            "familiarity": _rounded(self.familiarity),
            "duration_s": round(self.duration_s, 3),
            "frame": self.frame,
            "detail": self.detail,
        }


def _rounded(familiarity: float | None) -> float | None:
    return None if familiarity is None else round(familiarity, 6)


class Sink(Protocol):
    """A receiver of results.

    A sink must return at once. A sink that sends to another program or machine queues the results, and counts those
    that it drops.
    """

    def prediction(self, prediction: FramePrediction) -> None:
        """Receive the decision about a frame."""
        ...

    def event(self, event: Event) -> None:
        """Receive an event."""
        ...

    def close(self) -> None:
        """Deliver what is queued, within a time limit, and close; never raise."""
        ...
