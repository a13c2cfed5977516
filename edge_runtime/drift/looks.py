"""How a picture looks: a few numbers that trainer and device compute from the same pixels, the model's input."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
DARK = 8.0  # added to the brightness before dividing by it: the colour of a black picture is noise
CELLS = 12  # rows and columns of the layout


class Look(NamedTuple):
    """How a picture looks.

    Sharpness and the three colour values are relative, so that another brightness changes only the first two.

    Attributes:
        brightness: mean luma, 0..255.
        contrast: standard deviation of the luma, 0..128.
        sharpness: mean absolute Laplacian of the luma, divided by the contrast; blur reduces it.
        colourfulness: by Hasler and Süsstrunk 2003, "Measuring colourfulness in natural images", divided by the
            brightness; 0 for a grey picture.
        redness: mean of red minus green, divided by the brightness.
        yellowness: mean of (red + green) / 2 minus blue, divided by the brightness.

    """

    brightness: float
    contrast: float
    sharpness: float
    colourfulness: float
    redness: float
    yellowness: float


def look_of(pixels: Pixels) -> Look:
    """Return how a picture looks.

    Args:
        pixels: RGB, uint8 of shape (height, width, 3); at least 3 pixels high and wide, or the sharpness is 0.

    """
    wide = pixels.astype(np.float32)
    luma = wide @ LUMA
    brightness, contrast = float(luma.mean()), float(luma.std())
    inner = luma[1:-1, 1:-1]
    laplacian = 4 * inner - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    sharpness = float(np.abs(laplacian).mean()) / (contrast + 1) if laplacian.size else 0.0
    red, green, blue = wide[..., 0], wide[..., 1], wide[..., 2]
    redness, yellowness = red - green, (red + green) / 2 - blue
    mean_red, mean_yellow = float(redness.mean()), float(yellowness.mean())
    spread = math.sqrt(float(redness.var()) + float(yellowness.var()))
    relative = brightness + DARK
    return Look(
        brightness,
        contrast,
        sharpness,
        (spread + 0.3 * math.hypot(mean_red, mean_yellow)) / relative,
        mean_red / relative,
        mean_yellow / relative,
    )


def layout_of(pixels: Pixels) -> NDArray[np.bool_]:
    """Return where a picture is brighter than next to it: bool of shape (2 * CELLS * (CELLS - 1),).

    The picture is reduced to CELLS x CELLS means; each is compared with its right and its lower neighbour, as the
    difference hash does. Other light hardly changes the result, another framing changes about half of it.
    """
    cells = min(CELLS, *pixels.shape[:2])
    luma = pixels.astype(np.float32) @ LUMA
    rows, columns = (np.linspace(0, side, cells + 1).astype(int)[:-1] for side in luma.shape)
    sums = np.add.reduceat(np.add.reduceat(luma, rows, axis=0), columns, axis=1)
    areas = np.outer(np.diff([*rows, luma.shape[0]]), np.diff([*columns, luma.shape[1]]))
    means = sums / areas
    bits = np.concatenate([(means[:, 1:] > means[:, :-1]).ravel(), (means[1:] > means[:-1]).ravel()])
    found = np.zeros(2 * CELLS * (CELLS - 1), bool)
    found[: len(bits)] = bits
    return found
