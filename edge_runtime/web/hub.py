"""Keep the live loop's newest results for the web server."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from PIL import Image

    from edge_runtime.live.records import Event, Frame, FramePrediction

KEPT_EVENTS = 100
WINDOW = 240  # predictions from which rates and latencies are computed
WINDOW_S = 10.0
STAGES = ("decode", "preprocess", "inference", "age")
PERCENTILES = (50, 90, 99)
PICTURE_SIDE = 720  # pixels: enough for a phone and cheap enough for a Pi
PICTURE_QUALITY = 80


class Numbered(NamedTuple):
    """An event with its number, counted from 1."""

    number: int
    event: Event


class Hub:
    """The newest frame, prediction and events, for readers in other threads; it is itself a sink.

    The loop never waits for a reader: it exchanges references under a lock, and a picture is encoded only if a viewer
    requests it, in the viewer's thread.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._prediction: FramePrediction | None = None
        self._predicted_s = float("-inf")
        self._recent: deque[tuple[float, FramePrediction]] = deque(maxlen=WINDOW)
        self._events: deque[Numbered] = deque(maxlen=KEPT_EVENTS)
        self._event_count = 0
        self._totals: Counter[str] = Counter()
        self._encoding = threading.Lock()
        self._encoded: tuple[Frame, bytes] | None = None

    def frame(self, frame: Frame) -> None:
        """Receive the frame of the next prediction; its pixels must not change afterwards."""
        with self._lock:
            self._frame = frame

    def prediction(self, prediction: FramePrediction) -> None:
        """Receive a prediction."""
        now_s = self._clock()
        with self._lock:
            self._prediction, self._predicted_s = prediction, now_s
            self._recent.append((now_s, prediction))
            self._totals["frames"] += 1
            self._totals["dropped"] += prediction.dropped

    def event(self, event: Event) -> None:
        """Receive an event."""
        with self._lock:
            self._event_count += 1
            self._events.append(Numbered(self._event_count, event))
            self._totals[f"event {event.kind}"] += 1

    def close(self) -> None:
        """Do nothing: there is nothing to deliver."""

    def jpeg(self) -> tuple[int, bytes] | None:
        """Return the newest frame's number and a JPEG, sides up to PICTURE_SIDE pixels, or None before the first."""
        with self._lock:
            frame = self._frame
        if frame is None:
            return None
        with self._encoding:  # many viewers need only one encoding
            if self._encoded is None or self._encoded[0] is not frame:
                self._encoded = (frame, _encode(frame))
            return self._encoded[0].number, self._encoded[1]

    def events_after(self, number: int) -> list[Numbered]:
        """Return the kept events after the one with that number, oldest first."""
        with self._lock:
            return [item for item in self._events if item.number > number]

    def thumbnail(self, number: int) -> bytes | None:
        """Return the JPEG of an event's best frame, if the event is kept and has one."""
        with self._lock:
            return next((item.event.thumbnail for item in self._events if item.number == number), None)

    def fresh_s(self) -> float:
        """Return the seconds since the newest prediction on a fresh frame; infinite before the first."""
        with self._lock:
            return self._clock() - self._predicted_s

    def totals(self) -> Mapping[str, int]:
        """Return the counts since the start: "frames", "dropped", "event entered" and so on."""
        with self._lock:
            return dict(self._totals)

    def state(self) -> dict[str, Any]:
        """Return the state for the page, as a JSON object; `prediction` is None before the first."""
        with self._lock:
            prediction, since_s = self._prediction, self._clock() - self._predicted_s
            recent = [(at_s, item) for at_s, item in self._recent if self._clock() - at_s <= WINDOW_S]
        return {
            "prediction": prediction and prediction.to_json(),
            "since_ms": None if prediction is None else round(since_s * 1e3, 1),
            "fps": _rate([at_s for at_s, _ in recent]),
            "latency_ms": {
                stage: _percentiles([getattr(item, f"{stage}_ms") for _, item in recent]) for stage in STAGES
            },
            "frames": self.totals().get("frames", 0),
            "dropped": self.totals().get("dropped", 0),
        }


def _rate(times_s: list[float]) -> float | None:
    """Return events per second over the span of the times; None for fewer than two."""
    if len(times_s) < 2 or times_s[-1] <= times_s[0]:
        return None
    return round((len(times_s) - 1) / (times_s[-1] - times_s[0]), 2)


def _percentiles(values: Iterable[float]) -> dict[str, float] | None:
    """Return the nearest-rank percentiles; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None
    ranks = {percent: min(len(ordered) - 1, len(ordered) * percent // 100) for percent in PERCENTILES}
    return {f"p{percent}": round(ordered[rank], 2) for percent, rank in ranks.items()}


def _encode(frame: Frame) -> bytes:
    image = _opened(frame)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=PICTURE_QUALITY)
    return encoded.getvalue()


def _opened(frame: Frame) -> Image.Image:
    """Return our own copy of a picture: a JPEG decoded at a scale near the displayed size."""
    import numpy as np
    from PIL import Image, ImageOps

    source = frame.image
    if isinstance(source, Image.Image):
        return source.convert("RGB") if source.mode != "RGB" else source.copy()
    if isinstance(source, np.ndarray):
        return Image.fromarray(source)
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        image.draft("RGB", (PICTURE_SIDE, PICTURE_SIDE))
        return ImageOps.exif_transpose(image).convert("RGB")
