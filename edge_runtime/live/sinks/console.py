"""Predictions and events as text, JSON lines or CSV on a stream such as stdout."""

from __future__ import annotations

import csv
import json
import time
from typing import TYPE_CHECKING, Protocol, TextIO

from edge_runtime.classify.decision import decision_text

if TYPE_CHECKING:
    from edge_runtime.live.records import Event, FramePrediction
    from edge_runtime.live.sinks.lines import QueuedLines

CSV_COLUMNS = (
    "kind",
    "source",
    "frame",
    "at",
    "label",
    "score",
    "familiarity",
    "stable",
    "age_ms",
    "dropped",
    "decode_ms",
    "preprocess_ms",
    "inference_ms",
    "duration_s",
    "detail",
)


class LineFormat(Protocol):
    """A text format with one line per result.

    Attributes:
        head: text before the first line, or an empty string.

    """

    head: str

    def prediction(self, prediction: FramePrediction) -> str:
        """Return a frame's line, or an empty string to write none."""
        ...

    def event(self, event: Event) -> str:
        """Return an event's line."""
        ...


class Console:
    """A sink that writes results as lines."""

    def __init__(self, line_format: LineFormat, lines: DirectLines | QueuedLines) -> None:
        self._format = line_format
        self._lines = lines
        self._write(line_format.head)

    def prediction(self, prediction: FramePrediction) -> None:
        """Write a frame's line. Raise OSError if the reader has closed the stream or the disk is full."""
        self._write(self._format.prediction(prediction))

    def event(self, event: Event) -> None:
        """Write an event's line. Raise as `prediction` does."""
        self._write(self._format.event(event))

    def close(self) -> None:
        """Deliver what is queued."""
        self._lines.close()

    def _write(self, line: str) -> None:
        if line:
            self._lines.write(line)


class DirectLines:
    """Writes each line at once and waits for a slow reader, so that no result of a file is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        """Write a line, including its line break."""
        self._stream.write(line)
        self._stream.flush()

    def close(self) -> None:
        """Do nothing; no line is queued."""


class Text:
    """Text for a person: a line for each event, and for each frame whose label or stable label has changed."""

    head = ""

    def __init__(self) -> None:
        self._last_labels: tuple[str, str] | None = None

    def prediction(self, prediction: FramePrediction) -> str:
        """Return a frame's line, or an empty string if its labels are those of the previous line."""
        if (prediction.label, prediction.stable) == self._last_labels:
            return ""
        self._last_labels = prediction.label, prediction.stable
        decided = decision_text(prediction.label, prediction.score, prediction.top)
        return (
            f"{_clock(prediction.captured_at)}  frame {prediction.frame}  {decided}  "
            f"stable {prediction.stable}  age {prediction.age_ms:.0f} ms  dropped {prediction.dropped}\n"
        )

    def event(self, event: Event) -> str:
        """Return an event's line."""
        about = f"{event.label} {event.score:.2f}" if event.label else f"{event.source}"
        after = f"  after {event.duration_s:.1f} s" if event.duration_s else ""
        detail = f"  ({event.detail})" if event.detail else ""
        return f"{_clock(event.at)}  {event.kind} {about}{after}{detail}\n"


class Json:
    """One JSON object for each frame and each event; events have the key `event`."""

    head = ""

    def prediction(self, prediction: FramePrediction) -> str:
        """Return a frame's object."""
        return json.dumps(prediction.to_json()) + "\n"

    def event(self, event: Event) -> str:
        """Return an event's object."""
        return json.dumps(event.to_json()) + "\n"


class Csv:
    """CSV: a header, then one row per frame or event; the kind of a frame is `frame`."""

    def __init__(self) -> None:
        self._rows = csv.DictWriter(_Echo(), CSV_COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
        self.head = str(self._rows.writeheader())

    def prediction(self, prediction: FramePrediction) -> str:
        """Return a frame's row."""
        return self._row({"kind": "frame", "at": round(prediction.captured_at, 6), **prediction.to_json()})

    def event(self, event: Event) -> str:
        """Return an event's row."""
        return self._row({"kind": event.kind, **event.to_json()})

    def _row(self, row: dict[str, object]) -> str:
        return str(self._rows.writerow(row))


class _Echo:
    """A file whose `write` returns the text; `csv.writer.writerow` returns what `write` returns."""

    def write(self, text: str) -> str:
        return text


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
