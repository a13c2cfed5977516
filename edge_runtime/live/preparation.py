"""Turn frames into model inputs in its own thread, while the model runs on the previous input."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.errors import SourceError
from edge_runtime.image.limits import FILE, STREAM
from edge_runtime.image.preprocess import load_image, to_input
from edge_runtime.image.upright import UPRIGHT
from edge_runtime.live.handoff import Handoff
from edge_runtime.live.records import Event, Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import Image

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.image.preprocess import Pixels, Roi
    from edge_runtime.image.upright import Mount
    from edge_runtime.live.capture import Capture

NEWEST_WEIGHT = 0.2  # weight of the newest duration in the running means
LEAST_SLACK_S, MOST_SLACK_S = 0.001, 0.1  # the upper limit keeps a frame from becoming old before a slow model
LATE_GROWTH, IN_TIME_SHRINKAGE = 1.5, 0.998  # in balance if the model waits for one frame in two hundred
MOTION_STEP = 4  # every fourth pixel of the model's input is enough to detect motion


@dataclass(frozen=True)
class Selection:
    """Which frames are classified, and which region of them.

    Attributes:
        roi: region of the picture, or None for the complete picture.
        every: classify one of every this many delivered frames.
        max_fps: maximum number of frames per second, or None.
        motion: skip a frame whose pixels differ from the last classified frame by less than this on average, 0..255;
            None skips none.
        mount: how the pictures are turned before the region is taken.

    """

    roi: Roi | None = None
    every: int = 1
    max_fps: float | None = None
    motion: float | None = None
    mount: Mount = UPRIGHT


class Prepared(NamedTuple):
    """A frame that is ready for the model.

    Attributes:
        frame: the frame.
        tensor: the graph's input, or None if the scene has not changed.
        image: the decoded picture.
        decode_ms: time to decode it.
        preprocess_ms: time to resize it and to convert it to the graph's type.
        classifier: the model for which it was prepared, and which must run it.
        pixels: the model's input before the conversion, uint8 of shape (height, width, 3).

    """

    frame: Frame
    tensor: NDArray[Any] | None
    image: Image.Image
    decode_ms: float
    preprocess_ms: float
    classifier: Classifier
    pixels: Pixels


class Unreadable(NamedTuple):
    """A frame that could not be decoded, and the reason."""

    frame: Frame
    problem: SourceError


class Pace:
    """Decide when to take a camera's newest frame, so that it is prepared just before the model is free.

    A frame that is taken earlier is older when it is classified; one that is taken later makes the model wait. The
    slack, a reserve of time, adapts: it grows when the model had to wait, and shrinks slowly while it did not.
    """

    def __init__(self) -> None:
        self._inference_s = self._prepare_s = 0.0
        self._slack_s = LEAST_SLACK_S
        self._began_s = float("-inf")

    def inference_began(self, *, waited: bool) -> None:
        """Record that the model starts, and whether it was idle before because no frame was prepared."""
        self._began_s = time.monotonic()
        slack_s = self._slack_s * (LATE_GROWTH if waited else IN_TIME_SHRINKAGE)
        self._slack_s = max(min(slack_s, self._inference_s, MOST_SLACK_S), LEAST_SLACK_S)

    def inference_ended(self) -> None:
        """Record that the model has finished."""
        self._inference_s += NEWEST_WEIGHT * (time.monotonic() - self._began_s - self._inference_s)

    def prepared(self, seconds: float) -> None:
        """Record how long the preparation of a frame took, in seconds."""
        self._prepare_s += NEWEST_WEIGHT * (seconds - self._prepare_s)

    def wait_s(self) -> float:
        """Return the seconds until the next frame should be taken."""
        return self._began_s + self._inference_s - self._prepare_s - self._slack_s - time.monotonic()


class Preparation:
    """A thread that prepares the frames of a capture; events are passed on in order.

    Attributes:
        ready: holds the next item: Prepared, Unreadable or Event.
        pace: must be notified when the model runs.
        classifier: the model for which the next frame is prepared; another thread may replace it at any time.
        is_waiting: whether the thread waits for the camera, or for the time of the next frame.

    """

    def __init__(self, capture: Capture, classifier: Classifier, selection: Selection, stop: threading.Event) -> None:
        self.ready: Handoff[Prepared | Unreadable | Event] = Handoff(newest_only=False)
        self.pace = Pace()
        self.is_waiting = False
        self._capture = capture
        self.classifier = self._last_classifier = classifier
        self._selection = selection
        self._stop = stop
        self._reference: Pixels | None = None  # for the motion gate: every fourth pixel of the last classified frame
        self._taken_s = float("-inf")  # when the newest item was taken
        self._was_unreadable = False
        self._thread = threading.Thread(target=self._run, name="preprocess", daemon=True)
        self._thread.start()

    def forget_scene(self) -> None:
        """Treat the next frame as changed; needed if the frame with which it would be compared was not classified."""
        self._reference = None

    def close(self) -> None:
        """End the thread, and wait up to two seconds for it to close the source."""
        self._stop.set()
        self.ready.end()
        self._thread.join(2.0)

    def _run(self) -> None:
        try:
            for item in self._selected():
                if isinstance(item, Event):
                    self.forget_scene()  # the scene may have changed while the camera sent nothing
                if not self.ready.put(item if isinstance(item, Event) else self._prepare(item)):
                    return
        except Exception as problem:  # noqa: BLE001 - raised again in the thread that takes the items
            self.ready.end(problem)
        else:
            self.ready.end()

    def _selected(self) -> Iterator[Frame | Event]:
        """Take the capture's items when the model needs them, and skip the frames that are not selected."""
        next_number, next_s = 0, float("-inf")
        items = iter(self._capture)
        try:
            while (item := self._next(items, next_s)) is not None:
                if isinstance(item, Event):
                    yield item
                elif item.number >= next_number:
                    self._was_unreadable = False
                    yield item
                    if self._was_unreadable and self._capture.source.live:
                        continue  # the next frame replaces it
                    next_number = item.number + self._selection.every
                    if self._selection.max_fps:
                        next_s = max(next_s, self._taken_s) + 1 / self._selection.max_fps
        finally:
            items.close()  # type: ignore[attr-defined]

    def _next(self, items: Iterator[Frame | Event], next_s: float) -> Frame | Event | None:
        """Take the next item when the model has taken the previous input and is almost done with it, after `next_s`."""
        self.ready.wait_until_taken()
        if self._capture.source.live:
            next_s = max(next_s, time.monotonic() + self.pace.wait_s())
        self._capture.look_s = next_s
        self.is_waiting = True
        try:
            return next(items, None)
        finally:
            self.is_waiting = False
            self._taken_s = time.monotonic()

    def _prepare(self, frame: Frame) -> Prepared | Unreadable:
        began = time.perf_counter()
        frame = replace(frame, mount=self._selection.mount)
        classifier = self.classifier
        if classifier is not self._last_classifier:
            self.forget_scene()
            self._last_classifier = classifier
        limits = STREAM if self._capture.source.live else FILE
        try:
            image = load_image(frame.image, classifier.spec, self._selection.roi, mount=frame.mount, limits=limits)
        except SourceError as problem:
            self._was_unreadable = True
            self._capture.reject()
            return Unreadable(frame, problem)
        self._capture.accept()
        decoded = time.perf_counter()
        pixels = to_input(image, classifier.spec)
        tensor = classifier.backend.model_input(pixels[None]) if self._changed(pixels) else None
        ended = time.perf_counter()
        self.pace.prepared(ended - began)
        return Prepared(frame, tensor, image, (decoded - began) * 1e3, (ended - decoded) * 1e3, classifier, pixels)

    def _changed(self, pixels: Pixels) -> bool:
        """Return whether a frame differs from the last classified one; if so, it replaces that one."""
        if self._selection.motion is None:
            return True
        points = pixels[::MOTION_STEP, ::MOTION_STEP]
        if self._reference is not None and motion(points, self._reference) < self._selection.motion:
            return False
        self._reference = points
        return True


def motion(pixels: Pixels, before: Pixels) -> float:
    """Return the mean absolute difference of two pictures of the same shape, 0..255."""
    return float(np.abs(np.subtract(pixels, before, dtype=np.int16)).mean())
