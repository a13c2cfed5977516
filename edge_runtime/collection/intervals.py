"""Collect a picture of one class every few seconds, without a page."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_runtime.errors import SourceError
from edge_runtime.live.capture import Capture
from edge_runtime.live.records import Event
from edge_runtime.live.sources.images import ImageFiles

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from edge_runtime.collection.collector import Collector, Stored
    from edge_runtime.image.upright import Mount
    from edge_runtime.live.capture import Patience
    from edge_runtime.live.records import Frame, Source


def collect_at_intervals(
    source: Source,
    collector: Collector,
    label: str,
    *,
    every_s: float,
    mount: Mount,
    patience: Patience,
    stop: threading.Event,
    report: Callable[[str], None],
) -> Iterator[Stored]:
    """Store a picture every few seconds, and yield each.

    Args:
        source: a camera; of a video, the seconds are its own; of image files, each one is stored.
        collector: stores the pictures; near-repeats are counted there.
        label: the class.
        every_s: seconds between pictures.
        mount: how the pictures are turned.
        patience: how long to wait for a camera.
        stop: ends the iteration when it is set.
        report: receives the problems of the camera and of single frames.

    Raises:
        SourceError: the source cannot be read.
        CollectionError: a limit is reached, or a picture cannot be written.

    """
    capture = Capture(source, patience, stop)
    due_s = -math.inf
    for item in capture:
        if isinstance(item, Event):
            report(f"{item.kind}: {item.detail}" if item.detail else item.kind)
            continue
        at_s = _time_of(item, source)
        if at_s < due_s:
            continue
        try:
            taken = collector.take(replace(item, mount=mount), label)
        except SourceError as problem:
            report(f"frame {item.number} skipped: {problem}")
            capture.reject()
            continue
        capture.accept()
        due_s = at_s + every_s
        if source.live:
            capture.look_s = time.monotonic() + due_s - at_s
        if taken.picture is not None:
            yield taken.picture


def _time_of(frame: Frame, source: Source) -> float:
    """Return a frame's time in seconds; infinity if it has none, as image files."""
    if isinstance(source, ImageFiles):
        return math.inf
    return frame.captured_s if source.live else frame.captured_at
