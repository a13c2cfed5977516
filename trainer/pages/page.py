"""One HTML page that opens without a network: its style and pictures stand in it."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.figure import Figure

    from edge_runtime.image.preprocess import Pixels

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
th { border-bottom: 1px solid #bbb } td.number { text-align: right; font-variant-numeric: tabular-nums }
img { max-width: 100% } figure { margin: 1rem 0 } figcaption { color: #555 }
.warning { background: #fff4d6; border-left: 4px solid #d99a00; padding: .4rem .8rem; margin: .5rem 0 }
td { overflow-wrap: anywhere }
"""


def page(title: str, sections: Iterable[str]) -> str:
    """Give a whole page; sections are HTML."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<link rel="icon" href="data:,"><style>{STYLE}</style></head>\n'
        f"<body><h1>{html.escape(title)}</h1>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def section(heading: str, *parts: str) -> str:
    """Give a heading and what stands under it; parts are HTML."""
    return f"<h2>{html.escape(heading)}</h2>\n" + "\n".join(parts)


def paragraph(text: str, kind: str = "") -> str:
    """Give a paragraph of plain text; kind "warning" stands out."""
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Give a table; numbers stand right."""
    lines = ["<tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in header) + "</tr>"]
    lines += ["<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows]
    return "<table>" + "\n".join(lines) + "</table>"


def figure(picture: Figure | Image.Image, caption: str) -> str:
    """Give a picture, inlined, with its caption."""
    stream = io.BytesIO()
    if isinstance(picture, Image.Image):
        picture.save(stream, "JPEG", quality=88)
        kind = "jpeg"
    else:
        picture.savefig(stream, format="png")
        kind = "png"
    data = base64.b64encode(stream.getvalue()).decode()
    told = html.escape(caption)
    return f'<figure><img alt="{told}" src="data:image/{kind};base64,{data}"><figcaption>{told}</figcaption></figure>'


def sheet(pictures: Sequence[Pixels], columns: int, side: int = 96) -> Image.Image:
    """Lay pictures, uint8 of shape (H, W, 3), side by side, each `side` pixels large, row by row."""
    gap = 4
    rows = max(1, -(-len(pictures) // columns))
    whole = Image.new("RGB", (columns * (side + gap) - gap, rows * (side + gap) - gap), "white")
    for number, pixels in enumerate(pictures):
        small = Image.fromarray(np.ascontiguousarray(pixels)).resize((side, side), Image.Resampling.BILINEAR)
        whole.paste(small, ((number % columns) * (side + gap), (number // columns) * (side + gap)))
    return whole


def _cell(value: object) -> str:
    kind = (
        ' class="number"'
        if isinstance(value, (int, float)) or str(value).rstrip("%").replace(".", "").isdigit()
        else ""
    )
    return f"<td{kind}>{html.escape(str(value))}</td>"
