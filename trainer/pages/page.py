"""Make HTML pages from templates. A page contains its style and its pictures, so that it opens without a network."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from edge_runtime.image.preprocess import Pixels

PICTURE_SIDE = 128
# Text and lines of a plot in dark mode, as in the style sheet.
DARK_TEXT, DARK_LINES = "#e8efec", "#9aaaa4"


class Plot(NamedTuple):
    """A plot as two PNG pictures in data: addresses, for light and for dark mode. Their background is transparent."""

    light: str
    dark: str


def render_page(template: str, **values: object) -> str:
    """Return the page that a template of this package makes of values; all values are escaped."""
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("trainer.pages"), PackageLoader("edge_runtime.web", "static")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda fraction: f"{fraction:.1%}"
    return environment


def picture(pixels: Pixels) -> str:
    """Return an image, uint8 of shape (H, W, 3), as a small JPEG in a data: address."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    return _data_address("image/jpeg", stream)


def plot(draw: Callable[[], Figure]) -> Plot:
    """Draw a figure twice, with matplotlib's colours and with light text for dark mode."""
    from matplotlib import rc_context

    light = _png(draw())
    dark_mode = rc_context(
        {
            "text.color": DARK_TEXT,
            "axes.labelcolor": DARK_TEXT,
            "axes.edgecolor": DARK_LINES,
            "xtick.color": DARK_LINES,
            "ytick.color": DARK_LINES,
            "grid.color": DARK_LINES,
        }
    )
    with dark_mode:
        return Plot(light, _png(draw()))


def _png(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", transparent=True)
    return _data_address("image/png", stream)


def _data_address(media_type: str, stream: io.BytesIO) -> str:
    return f"data:{media_type};base64,{base64.b64encode(stream.getvalue()).decode()}"
