"""The live loop's newest results, kept for the web server."""

from __future__ import annotations

import io
import math
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.image.upright import scale_key, upright_rgb, upright_size
from edge_runtime.live.liveness import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from PIL import Image

    from edge_runtime.live.liveness import State
    from edge_runtime.live.records import Event, Frame, FramePrediction

MAX_EVENTS = 100
WINDOW = 240  # newest predictions from which rates and latencies are computed
WINDOW_S = 10.0  # older predictions are left out
STAGES = ("decode", "preprocess", "inference", "age")
PERCENTILES = (50, 90, 99)
FAMILIARITY_RANGES = 10  # of the histogram
PICTURE_SIDE = 720  # pixels: sharp on a phone, and cheap to encode on a Pi
PICTURE_QUALITY = 80


class Numbered(NamedTuple):
    """An event with its number, counted from 1."""

    number: int
    event: Event


class Familiarities(NamedTuple):
    """The familiarity of the frames since the start.

    Attributes:
        counts: number of frames in each of the equal ranges of 0..1; a frame on a limit belongs to the lower range.
        total: the sum of their familiarities.
        unfamiliar: number of frames that are unknown because of their familiarity.

    """

    counts: tuple[int, ...]
    total: float
    unfamiliar: int


class LiveState(NamedTuple):
    """A snapshot of the live loop.

    Attributes:
        prediction: the newest prediction; None before the first.
        since_ms: milliseconds since the newest prediction; None before the first.
        fps: frames classified per second over the last WINDOW_S seconds; None if unknown.
        latency_ms: for each stage, the percentiles "p50", "p90" and "p99"; None if unknown.
        frames: number of predictions since the start.
        dropped: number of frames that were skipped since the start.
        events: number of events since the start, by kind.
        alive_ms: milliseconds since the source was last alive, see `edge_runtime.live.liveness`; None before.
        ended: whether the source, such as a video, has ended.
        candidate: the label that may be decided next, its votes and the votes that it needs; None if there is none.
        frame_size: width and height of the newest picture that was requested, in pixels; None before.

    """

    prediction: FramePrediction | None
    since_ms: float | None
    fps: float | None
    latency_ms: Mapping[str, Mapping[str, float] | None]
    frames: int
    dropped: int
    events: Mapping[str, int]
    alive_ms: float | None
    ended: bool
    candidate: tuple[str, int, int] | None
    frame_size: tuple[int, int] | None

    def to_json(self) -> dict[str, Any]:
        """Return the state as the page reads it; the page counts events itself."""
        values = self._asdict()
        del values["events"]
        return {**values, "prediction": self.prediction and self.prediction.to_json()}


class Hub:
    """A sink that keeps the newest frame, prediction and events for readers in other threads.

    The live loop never waits for a reader: it only exchanges references under a lock. A picture is encoded only if a
    viewer requests it, in the viewer's thread.

    Attributes:
        restored: number of events from before the start.

    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.restored = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._prediction: FramePrediction | None = None
        self._predicted_s = float("-inf")
        self._recent: deque[tuple[float, FramePrediction]] = deque(maxlen=WINDOW)
        self._events: deque[Numbered] = deque(maxlen=MAX_EVENTS)
        self._event_counts: Counter[str] = Counter()
        self._alive_s = float("-inf")
        self._ended = False
        self._candidate: tuple[str, int, int] | None = None
        self._frame_size: tuple[int, int] | None = None
        self._number = 0
        self._frames = 0
        self._dropped = 0
        self._familiarities = [0] * FAMILIARITY_RANGES
        self._familiarity_total = 0.0
        self._unfamiliar = 0
        self._encoding = threading.Lock()
        self._encoded: tuple[Frame, bytes] | None = None

    def restore(self, events: Iterable[Event]) -> None:
        """Receive events from before the start, oldest first. They are not counted."""
        with self._lock:
            for event in events:
                self._keep(event)
            self.restored = self._number

    def frame(self, frame: Frame, candidate: tuple[str, int, int] | None = None) -> None:
        """Receive the frame of the next prediction, and what may be decided next; see LiveState.

        The frame's pixels must not change afterwards.
        """
        with self._lock:
            self._frame, self._candidate = frame, candidate

    def prediction(self, prediction: FramePrediction) -> None:
        """Receive a prediction."""
        now_s = self._clock()
        with self._lock:
            self._prediction, self._predicted_s, self._alive_s = prediction, now_s, now_s
            self._recent.append((now_s, prediction))
            self._frames += 1
            self._dropped += prediction.dropped
            if prediction.familiarity is not None:
                self._familiarities[max(0, math.ceil(prediction.familiarity * FAMILIARITY_RANGES) - 1)] += 1
                self._familiarity_total += prediction.familiarity
                self._unfamiliar += prediction.is_unfamiliar

    def event(self, event: Event) -> None:
        """Receive an event."""
        with self._lock:
            self._event_counts[event.kind] += 1
            self._keep(event)

    def state_changed(self, state: State) -> None:
        """Receive the state of the source; see `StateSink`."""
        with self._lock:
            if MEANINGS[state].is_alive:
                self._alive_s = self._clock()

    def alive_s(self) -> float:
        """Return the seconds since the source was last alive; infinite before."""
        with self._lock:
            return self._clock() - self._alive_s

    def end(self) -> None:
        """Note that the source has ended."""
        with self._lock:
            self._ended = True

    def has_ended(self) -> bool:
        """Return whether the source has ended."""
        with self._lock:
            return self._ended

    def close(self) -> None:
        """Do nothing: the results are not delivered anywhere."""

    def jpeg(self) -> tuple[int, bytes] | None:
        """Return the newest frame's number and its picture as JPEG; None before the first frame.

        Each side of the picture has at most PICTURE_SIDE pixels.
        """
        with self._lock:
            frame = self._frame
        if frame is None:
            return None
        with self._encoding:  # a frame is encoded once for all viewers
            if self._encoded is None or self._encoded[0] is not frame:
                size, picture = _encode(frame)
                with self._lock:
                    self._frame_size = size
                self._encoded = (frame, picture)
            return self._encoded[0].number, self._encoded[1]

    def events_after(self, number: int) -> list[Numbered]:
        """Return the kept events whose number is greater than `number`, oldest first."""
        with self._lock:
            return [item for item in self._events if item.number > number]

    def thumbnail(self, number: int) -> bytes | None:
        """Return the JPEG of an event's best frame; None if there is none or the event is not kept."""
        with self._lock:
            return next((item.event.thumbnail for item in self._events if item.number == number), None)

    def _keep(self, event: Event) -> None:
        self._number += 1
        self._events.append(Numbered(self._number, event))

    def familiarities(self) -> Familiarities | None:
        """Return the familiarity of the frames since the start; None if the model computes none, or before a frame."""
        with self._lock:
            found = Familiarities(tuple(self._familiarities), self._familiarity_total, self._unfamiliar)
        return found if any(found.counts) else None

    def fresh_s(self) -> float:
        """Return the seconds since the newest prediction; infinite before the first."""
        with self._lock:
            return self._clock() - self._predicted_s

    def state(self) -> LiveState:
        """Return a snapshot of the newest prediction, the rates, the latencies and the counts."""
        with self._lock:
            now_s, predicted_s, prediction = self._clock(), self._predicted_s, self._prediction
            candidate, frame_size, alive_s = self._candidate, self._frame_size, self._alive_s
            recent = [(at_s, item) for at_s, item in self._recent if now_s - at_s <= WINDOW_S]
            frames, dropped, events, ended = self._frames, self._dropped, dict(self._event_counts), self._ended
        return LiveState(
            prediction=prediction,
            since_ms=None if prediction is None else round((now_s - predicted_s) * 1e3, 1),
            fps=_rate([at_s for at_s, _ in recent]),
            latency_ms={stage: _percentiles([getattr(item, f"{stage}_ms") for _, item in recent]) for stage in STAGES},
            frames=frames,
            dropped=dropped,
            events=events,
            alive_ms=None if alive_s == float("-inf") else round((now_s - alive_s) * 1e3, 1),
            ended=ended,
            candidate=candidate,
            frame_size=frame_size,
        )


def _rate(times_s: list[float]) -> float | None:
    """Return events per second over the span of the times; None for fewer than two."""
    if len(times_s) < 2 or times_s[-1] <= times_s[0]:
        return None
    return round((len(times_s) - 1) / (times_s[-1] - times_s[0]), 2)


def _percentiles(values: Iterable[float]) -> dict[str, float] | None:
    """Return the nearest-rank percentiles, by the names "p50" and so on; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    ranks = {percent: min(len(ordered) - 1, len(ordered) * percent // 100) for percent in PERCENTILES}
    return {f"p{percent}": round(ordered[rank], 2) for percent, rank in ranks.items()}


def _encode(frame: Frame) -> tuple[tuple[int, int], bytes]:
    """Return the size of a frame before it is reduced, and its picture as JPEG."""
    image, size = _rgb_copy(frame)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=PICTURE_QUALITY)
    return size, encoded.getvalue()


def _rgb_copy(frame: Frame) -> tuple[Image.Image, tuple[int, int]]:
    """Return a copy of a picture in RGB, turned as its camera is mounted, and its full size.

    A JPEG is decoded at a reduced scale near PICTURE_SIDE, which is faster.
    """
    import numpy as np
    from PIL import Image

    source, mount = frame.image, frame.mount
    if isinstance(source, np.ndarray):
        return mount.turn(Image.fromarray(source)), mount.size((source.shape[1], source.shape[0]))
    if isinstance(source, Image.Image):
        return mount.turn(upright_rgb(source).copy()), mount.size(upright_size(source))
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        scale_key(image)
        size = upright_size(image)
        image.draft("RGB", (PICTURE_SIDE, PICTURE_SIDE))
        return mount.turn(upright_rgb(image)), mount.size(size)
