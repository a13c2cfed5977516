"""Choose the images that decide the ranges of quantized tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from export.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

# With fewer, ranges depend on chance; with more, they take time and widen only because of outliers.
FEWEST, MOST = 100, 500


def balanced(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Choose images from all classes in turn, the first images of each class first.

    Args:
        labels: class indices, (N,).
        count: maximum number of images.

    Returns:
        Indices in ascending order; the same number of each class, as far as possible.

    """
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        rank[of_class] = np.arange(len(of_class))
    return np.sort(np.argsort(rank, kind="stable")[:count])


def choose(pixels: Pixels, labels: NDArray[np.int64], count: int, where: str) -> Pixels:
    """Return at most `count` calibration images, balanced over the classes.

    Args:
        pixels: uint8 (N, height, width, 3).
        labels: class indices, (N,).
        count: maximum number of images.
        where: names the images' source in an error.

    Raises:
        ExportError: all images belong to one class, so that the ranges would fit only that class.

    """
    if len(np.unique(labels)) < 2:
        raise ExportError(
            f"{where}: all {len(labels)} calibration images belong to one class; add images of every class"
        )
    return pixels[balanced(labels, count)]
