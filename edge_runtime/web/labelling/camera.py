"""The newest frame of the camera from which pictures are collected."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_runtime.live.capture import Capture
from edge_runtime.live.records import Event
from edge_runtime.web.hub import Hub

if TYPE_CHECKING:
    from edge_runtime.image.upright import Mount
    from edge_runtime.live.capture import Patience
    from edge_runtime.live.records import Frame, FramePrediction, Source


class CameraView:
    """Keeps the newest frame, and what a model guesses about it, for readers in other threads.

    Attributes:
        hub: encodes the newest frame for the page.

    """

    def __init__(self) -> None:
        self.hub = Hub()
        self._lock = threading.Lock()
        self._newest: tuple[Frame, FramePrediction | None] | None = None
        self._arrived_s = float("-inf")
        self._problem = ""

    def update(self, frame: Frame, prediction: FramePrediction | None = None) -> None:
        """Receive a frame; its pixels must not change afterwards."""
        with self._lock:
            self._newest, self._arrived_s, self._problem = (frame, prediction), time.monotonic(), ""
        self.hub.frame(frame)

    def fail(self, problem: str) -> None:
        """Receive the reason why there are no frames."""
        with self._lock:
            self._problem = problem

    def newest(self) -> tuple[Frame, FramePrediction | None] | None:
        """Return the newest frame and its prediction; None before the first."""
        with self._lock:
            return self._newest

    def since_s(self) -> float:
        """Return the seconds since the newest frame arrived; infinite before the first."""
        with self._lock:
            return time.monotonic() - self._arrived_s

    def problem(self) -> str:
        """Return why there are no frames; empty if there is no reason known."""
        with self._lock:
            return self._problem


class EventView:
    """A sink that passes the problems of the camera on to a view."""

    def __init__(self, view: CameraView) -> None:
        self._view = view

    def prediction(self, prediction: FramePrediction) -> None:
        """Ignore it: the view receives it with its frame."""

    def event(self, event: Event) -> None:
        """Receive an event; those of a lost camera are the reason why there are no frames."""
        if event.kind in {"stalled", "lost"}:
            self._view.fail(event.detail)

    def close(self) -> None:
        """Do nothing."""


def follow(source: Source, view: CameraView, mount: Mount, patience: Patience, stop: threading.Event) -> None:
    """Update a view with a camera's frames until `stop` is set. Raise SourceError as `Capture` does."""
    events = EventView(view)
    for item in Capture(source, patience, stop):
        if isinstance(item, Event):
            events.event(item)
        else:
            view.update(replace(item, mount=mount))
