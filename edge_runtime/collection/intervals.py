"""Collect a picture of one class every few seconds, without a page."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_runtime.collection.bursts import moment_of
from edge_runtime.errors import SourceError
from edge_runtime.live.capture import Capture
from edge_runtime.live.records import Event

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
        source: a camera, a video or image files.
        collector: stores the pictures; near-repeats are counted there.
        label: the class.
        every_s: seconds between pictures, by `moment_of`.
        mount: how the pictures are turned.
        patience: how long to wait for a camera.
        stop: ends the iteration when it is set.
        report: receives the problems of the camera and of single frames.

    Raises:
        SourceError: the source cannot be read.
        CollectionError: a limit is reached, or a picture cannot be written.

    """
    moment = moment_of(source)
    capture = Capture(source, patience, stop)
    due_s = -math.inf
    for frame in _frames(capture, report):
        at_s = moment(frame)
        if at_s < due_s:
            continue
        try:
            taken = collector.take(replace(frame, mount=mount), label, at_s=at_s)
        except SourceError as problem:
            report(f"frame {frame.number} skipped: {problem}")
            capture.reject()
            continue
        capture.accept()
        due_s = at_s + every_s
        if source.live:
            capture.look_s = time.monotonic() + every_s
        if taken.picture is not None:
            yield taken.picture


def _frames(capture: Capture, report: Callable[[str], None]) -> Iterator[Frame]:
    """Yield the frames, and report the events of the source."""
    for item in capture:
        if isinstance(item, Event):
            report(f"{item.kind}: {item.detail}" if item.detail else item.kind)
        else:
            yield item
