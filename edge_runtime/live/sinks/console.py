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
    """What results look like, each as a whole line.

    Attributes:
        head: what stands above the first, or nothing.

    """

    head: str

    def prediction(self, prediction: FramePrediction) -> str:
        """Give a frame's line, or nothing where it is no news."""
        ...

    def event(self, event: Event) -> str:
        """Give an event's line."""
        ...


class Console:
    """A sink that writes lines of some form."""

    def __init__(self, form: Form, lines: DirectLines | QueuedLines) -> None:
        self._form = form
        self._lines = lines
        self._write(form.head)

    def prediction(self, prediction: FramePrediction) -> None:
        """Write a frame's line. Raises OSError where nobody reads or nothing can be written any more."""
        self._write(self._form.prediction(prediction))

    def event(self, event: Event) -> None:
        """Write an event's line. Raises as `prediction`."""
        self._write(self._form.event(event))

    def close(self) -> None:
        """Deliver what is queued."""
        self._lines.close()

    def _write(self, line: str) -> None:
        if line:
            self._lines.write(line)


class DirectLines:
    """Lines that are written at once, however long that takes: no line of a file's results may be lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        """Write a line with its end."""
        self._stream.write(line)
        self._stream.flush()

    def close(self) -> None:
        """Nothing is queued."""


class Text:
    """A line for a person: of the frames only those whose stable label or own label differs from the line before."""

    head = ""

    def __init__(self) -> None:
        self._told: tuple[str, str] | None = None

    def prediction(self, prediction: FramePrediction) -> str:
        """Give a line for a frame whose decision is news."""
        if (prediction.label, prediction.stable) == self._told:
            return ""
        self._told = prediction.label, prediction.stable
        return (
            f"{_clock(prediction.captured_at)}  frame {prediction.frame}  {prediction.label} {prediction.score:.2f}  "
            f"stable {prediction.stable}  age {prediction.age_ms:.0f} ms  dropped {prediction.dropped}\n"
        )

    def event(self, event: Event) -> str:
        """Give an event's line."""
        about = f"{event.label} {event.score:.2f}" if event.label else f"{event.source}"
        after = f"  after {event.duration_s:.1f} s" if event.duration_s else ""
        detail = f"  ({event.detail})" if event.detail else ""
        return f"{_clock(event.at)}  {event.kind} {about}{after}{detail}\n"


class Json:
    """One JSON object for each frame and each event, which has the key `event`."""

    head = ""

    def prediction(self, prediction: FramePrediction) -> str:
        """Give a frame's object."""
        return json.dumps(prediction.to_json()) + "\n"

    def event(self, event: Event) -> str:
        """Give an event's object."""
        return json.dumps(event.to_json()) + "\n"


class Csv:
    """A row for each frame, whose kind is `frame`, and each event, whose kind is its own; the columns first."""

    def __init__(self) -> None:
        self._rows = csv.DictWriter(_Echo(), CSV_COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
        self.head = str(self._rows.writeheader())

    def prediction(self, prediction: FramePrediction) -> str:
        """Give a frame's row."""
        return self._row({"kind": "frame", "at": round(prediction.captured_at, 6), **prediction.to_json()})

    def event(self, event: Event) -> str:
        """Give an event's row."""
        return self._row({"kind": event.kind, **event.to_json()})

    def _row(self, row: dict[str, object]) -> str:
        return str(self._rows.writerow(row))


class _Echo:
    """A file that gives what is written back: the csv module hands that on as `writerow`'s result."""

    def write(self, text: str) -> str:
        return text


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
