"""Predictions and events as text, JSON lines or CSV on a stream such as stdout."""

from __future__ import annotations

import csv
import json
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from edge_runtime.records import Event, FramePrediction

CSV_COLUMNS = (
    "kind",
    "source",
    "frame",
    "at",
    "label",
    "score",
    "stable",
    "age_ms",
    "dropped",
    "decode_ms",
    "preprocess_ms",
    "inference_ms",
    "duration_s",
    "detail",
)


class TextSink:
    """A line for a person: of the frames only those whose stable label or own label differs from the line before."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told: tuple[str, str] | None = None

    def prediction(self, prediction: FramePrediction) -> None:
        """Print a frame whose decision is news."""
        if (prediction.label, prediction.stable) == self._told:
            return
        self._told = prediction.label, prediction.stable
        self._print(
            f"{_clock(prediction.captured_at)}  frame {prediction.frame}  {prediction.label} {prediction.score:.2f}  "
            f"stable {prediction.stable}  age {prediction.age_ms:.0f} ms  dropped {prediction.dropped}"
        )

    def event(self, event: Event) -> None:
        """Print an event."""
        about = f"{event.label} {event.score:.2f}" if event.label else f"{event.source}"
        after = f"  after {event.duration_s:.1f} s" if event.duration_s else ""
        detail = f"  ({event.detail})" if event.detail else ""
        self._print(f"{_clock(event.at)}  {event.kind} {about}{after}{detail}")

    def close(self) -> None:
        """Nothing is queued."""

    def _print(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class JsonSink:
    """One JSON object a line for each frame and each event, which has the key `event`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def prediction(self, prediction: FramePrediction) -> None:
        """Print a frame."""
        self._print(prediction.to_json())

    def event(self, event: Event) -> None:
        """Print an event."""
        self._print(event.to_json())

    def close(self) -> None:
        """Nothing is queued."""

    def _print(self, data: dict[str, object]) -> None:
        self._stream.write(json.dumps(data) + "\n")
        self._stream.flush()


class CsvSink:
    """A row for each frame, whose kind is `frame`, and each event, whose kind is its own; the columns first."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.DictWriter(stream, CSV_COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
        self._rows.writeheader()

    def prediction(self, prediction: FramePrediction) -> None:
        """Write a frame's row."""
        self._write({"kind": "frame", "at": round(prediction.captured_at, 6), **prediction.to_json()})

    def event(self, event: Event) -> None:
        """Write an event's row."""
        self._write({"kind": event.kind, **event.to_json()})

    def close(self) -> None:
        """Nothing is queued."""

    def _write(self, row: dict[str, object]) -> None:
        self._rows.writerow(row)
        self._stream.flush()


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
