"""Charts and pictures for the report, as SVG and data addresses, so that the page needs nothing beside itself."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.image.preprocess import Pixels

WIDTH, HEIGHT, MARGIN = 640, 300, 56
LABEL_WIDTH = 160  # in the chart's units, of the longest label
PICTURE_SIDE = 112


def frontier(artifacts: Sequence[dict[str, Any]], default: str) -> str:
    """Draw artifacts by latency (across) and size (up), their accuracy beside them; low and left is best."""
    most_ms = max(item["latency_ms"] for item in artifacts) * 1.15
    most_bytes = max(item["size_bytes"] for item in artifacts) * 1.15
    marks: list[str] = []
    taken: list[tuple[float, float]] = []
    places = [
        (
            MARGIN + (WIDTH - 2 * MARGIN - 90) * item["latency_ms"] / most_ms,
            HEIGHT - MARGIN - (HEIGHT - 1.5 * MARGIN) * item["size_bytes"] / most_bytes,
        )
        for item in artifacts
    ]
    for item, (x, y) in sorted(zip(artifacts, places, strict=True), key=lambda pair: -pair[1][1]):
        others = [place for place in places if x < place[0] < x + LABEL_WIDTH]
        text_y = _free(y + 4, x, [*taken, *((x, other + 4) for _, other in others)])
        taken.append((x, text_y))
        chosen = " class='chosen'" if item["name"] == default else ""
        label = f"{item['name']} · {item['parity']['accuracy']:.1%}"
        marks.append(
            f"<path d='M{x:.0f} {y:.0f}L{x + 9:.0f} {text_y - 4:.0f}'/>"  # to a label that had to give way
            f"<circle cx='{x:.0f}' cy='{y:.0f}' r='6'{chosen}/>"
            f"<text x='{x + 11:.0f}' y='{text_y:.0f}'{chosen}>{label}</text>"
        )
    bottom, right = HEIGHT - MARGIN, WIDTH - MARGIN / 2
    axes = (
        f"<path d='M{MARGIN} {MARGIN / 2}V{bottom}H{right}'/>"
        f"<text x='{right}' y='{bottom + 18}' text-anchor='end'>{most_ms:.3g} ms an image</text>"
        f"<text x='{MARGIN}' y='{bottom + 18}'>0</text>"
        f"<text x='{MARGIN}' y='{MARGIN / 2 - 8}' text-anchor='middle'>{most_bytes / 1e6:.2g} MB</text>"
    )
    return f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='size and latency'>{axes}{''.join(marks)}</svg>"


def _free(
    y: float, x: float, taken: Sequence[tuple[float, float]], line: float = 16, long: float = LABEL_WIDTH
) -> float:
    """Move a label up until it covers none that is there."""
    while any(abs(y - other) < line and abs(x - left) < long for left, other in taken):
        y -= line
    return y


def bars(rows: Sequence[tuple[str, float, str]]) -> str:
    """Draw horizontal bars of (name, fraction 0..1, text beside it)."""
    parts = []
    for index, (name, value, text) in enumerate(rows):
        y = 22 * index
        parts.append(
            f"<text x='0' y='{y + 15}'>{escape(name)}</text>"
            f"<rect x='300' y='{y + 3}' width='{max(1.0, 190 * value):.0f}' height='15'/>"
            f"<text x='{308 + 190 * value:.0f}' y='{y + 15}'>{escape(text)}</text>"
        )
    height = 22 * len(rows) + 4
    return f"<svg viewBox='0 0 {WIDTH} {height}' role='img' aria-label='bars'>{''.join(parts)}</svg>"


def picture(pixels: Pixels) -> str:
    """Give an image as an address that holds it: a JPEG, uint8 (height, width, 3)."""
    image = Image.fromarray(pixels)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
