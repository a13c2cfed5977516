"""Lay out the chart of the export report, and encode its pictures.

The chart is an SVG template of our own, not a picture of a plotting library: it takes its colours from the style sheet,
so that it follows dark mode, and the extra `export` needs no plotting library.
"""

from __future__ import annotations

import base64
import io
import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from edge_runtime.image.preprocess import image_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_runtime.image.preprocess import Pixels

# In units of the SVG's viewBox. It is narrow, so that the text can be read when a phone scales the chart down.
WIDTH, HEIGHT = 400, 290
LEFT, RIGHT, TOP, BOTTOM = 40, 388, 22, 246
CHARACTER_WIDTH, LINE_HEIGHT = 6.2, 15  # of a label in the chart's font, as an upper estimate
RADIUS, GAP = 5, 10
LABEL_SHIFTS = [0, *(sign * step * LINE_HEIGHT for step in range(1, 12) for sign in (-1, 1))]
TICKS = 4
PICTURE_SIDE = 160


class Tick(NamedTuple):
    """A labelled position on an axis."""

    position: float
    text: str


class Label(NamedTuple):
    """The position of a label.

    Attributes:
        x: its left edge, or its right edge if `anchor` is "end".
        y: its middle.
        anchor: the SVG attribute text-anchor.

    """

    x: float
    y: float
    anchor: Literal["start", "end"]


class Mark(NamedTuple):
    """An artifact in the chart.

    Attributes:
        x: centre of its circle.
        y: centre of its circle.
        text: name and accuracy.
        label: where the text is written.
        chosen: whether it is the default artifact.

    """

    x: float
    y: float
    text: str
    label: Label
    chosen: bool


class Chart(NamedTuple):
    """A chart of artifacts by latency (x axis) and size (y axis), in units of the viewBox."""

    marks: Sequence[Mark]
    latency_ticks: Sequence[Tick]
    size_ticks: Sequence[Tick]


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: _Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def size_latency_chart(report: Mapping[str, Any]) -> Chart:
    """Lay out the artifacts of a report.

    Args:
        report: from `export.bundle.report.report_json`.

    """
    items = report["artifacts"]
    latencies = axis_ticks(max(item["latency_ms"] for item in items))
    sizes = axis_ticks(max(item["size_bytes"] / 1e6 for item in items))
    points = [
        (
            LEFT + (RIGHT - LEFT) * item["latency_ms"] / latencies[-1],
            BOTTOM - (BOTTOM - TOP) * item["size_bytes"] / 1e6 / sizes[-1],
        )
        for item in items
    ]
    texts = [_text(item, with_accuracy=not report["unchecked"]) for item in items]
    labels = place_labels(points, texts)
    return Chart(
        [
            Mark(*point, text, label, chosen=item["name"] == report["default"])
            for item, point, text, label in zip(items, points, texts, labels, strict=True)
        ],
        [Tick(LEFT + (RIGHT - LEFT) * value / latencies[-1], f"{value:g}") for value in latencies],
        [Tick(BOTTOM - (BOTTOM - TOP) * value / sizes[-1], f"{value:g}") for value in sizes],
    )


def _text(item: Mapping[str, Any], *, with_accuracy: bool) -> str:
    return f"{item['name']} {item['parity']['accuracy']:.1%}" if with_accuracy else item["name"]


def axis_ticks(largest: float) -> list[float]:
    """Return round values from 0 to at least `largest`, which is positive, in equal steps of 1, 2 or 5 times 10**n."""
    power = 10.0 ** math.floor(math.log10(largest / TICKS))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * TICKS >= largest)
    return [round(step * index, 12) for index in range(math.ceil(largest / step - 1e-9) + 1)]


def place_labels(points: Sequence[tuple[float, float]], texts: Sequence[str]) -> list[Label]:
    """Place a label next to each point, so that labels cover neither each other nor a point."""
    circles = [_Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in points]
    placed: list[_Box] = []
    labels = []
    for (x, y), text in zip(points, texts, strict=True):
        width = CHARACTER_WIDTH * len(text)
        on_the_right = x + GAP + width <= WIDTH
        left = x + GAP if on_the_right else x - GAP - width
        boxes = [
            _Box(left, y + shift - LINE_HEIGHT / 2, left + width, y + shift + LINE_HEIGHT / 2) for shift in LABEL_SHIFTS
        ]
        free = (
            box
            for box in boxes
            if box.top >= 0 and box.bottom <= BOTTOM and not any(map(box.overlaps, [*placed, *circles]))
        )
        box = next(free, boxes[0])
        placed.append(box)
        middle = (box.top + box.bottom) / 2
        labels.append(Label(box.left, middle, "start") if on_the_right else Label(box.right, middle, "end"))
    return labels


def picture(pixels: Pixels) -> str:
    """Return an image, uint8 of shape (height, width, channels), as a JPEG in a data: address."""
    image = image_of(pixels)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
