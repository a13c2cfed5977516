"""Choose the images that set the ranges of quantized tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from export.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

# Fewer leave ranges to chance; more cost time and widen a range by outliers alone.
FEWEST, MOST = 100, 500


def balanced(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Choose images in turn from every class, each class's first ones first.

    Args:
        labels: class indices, (N,).
        count: how many at most.

    Returns:
        Indices in ascending order; as many of each class as of any other, as far as there are.

    """
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        rank[of_class] = np.arange(len(of_class))
    return np.sort(np.argsort(rank, kind="stable")[:count])


def choose(pixels: Pixels, labels: NDArray[np.int64], count: int, where: str) -> Pixels:
    """Give at most `count` calibration images, balanced over the classes.

    Args:
        pixels: uint8 (N, height, width, 3).
        labels: class indices, (N,).
        count: how many at most.
        where: names the images' source in an error.

    Raises:
        ExportError: all are of one class, so that the ranges would fit that class alone.

    """
    if len(np.unique(labels)) < 2:
        raise ExportError(f"{where}: all {len(labels)} calibration images are of one class; give some of every class")
    return pixels[balanced(labels, count)]
