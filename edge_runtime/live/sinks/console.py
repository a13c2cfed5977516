"""Predictions and events as text, JSON lines or CSV on a stream such as stdout."""

from __future__ import annotations

import csv
import json
import time
from typing import TYPE_CHECKING, Protocol, TextIO

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
    "stable",
    "age_ms",
    "dropped",
    "decode_ms",
    "preprocess_ms",
    "inference_ms",
    "duration_s",
    "detail",
)


class Form(Protocol):
    """The text form of results, each as one complete line.

    Attributes:
        head: text before the first line, or nothing.

    """

    head: str

    def prediction(self, prediction: FramePrediction) -> str:
        """Return a frame's line, or nothing if the decision has not changed."""
        ...

    def event(self, event: Event) -> str:
        """Return an event's line."""
        ...


class Console:
    """A sink that writes lines of some form."""

    def __init__(self, form: Form, lines: DirectLines | QueuedLines) -> None:
        self._form = form
        self._lines = lines
        self._write(form.head)

    def prediction(self, prediction: FramePrediction) -> None:
        """Write a frame's line. Raise OSError if the reader has closed the stream or nothing more can be written."""
        self._write(self._form.prediction(prediction))

    def event(self, event: Event) -> None:
        """Write an event's line. Raise as `prediction` does."""
        self._write(self._form.event(event))

    def close(self) -> None:
        """Deliver what is queued."""
        self._lines.close()

    def _write(self, line: str) -> None:
        if line:
            self._lines.write(line)


class DirectLines:
    """Lines that are written at once, however long that takes, so that no result of a file is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        """Write a line, including its line break."""
        self._stream.write(line)
        self._stream.flush()

    def close(self) -> None:
        """Do nothing; no line is queued."""


class Text:
    """A line for a person: only of frames whose stable label or own label differs from the previous line."""

    head = ""

    def __init__(self) -> None:
        self._told: tuple[str, str] | None = None

    def prediction(self, prediction: FramePrediction) -> str:
        """Return a line for a frame whose decision has changed."""
        if (prediction.label, prediction.stable) == self._told:
            return ""
        self._told = prediction.label, prediction.stable
        return (
            f"{_clock(prediction.captured_at)}  frame {prediction.frame}  {prediction.label} {prediction.score:.2f}  "
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
    """CSV: the column names, then a row for each frame, with the kind `frame`, and for each event, with its own."""

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
    """A file whose `write` returns the text: the csv module passes it on as `writerow`'s result."""

    def write(self, text: str) -> str:
        return text


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
