"""Find how the input of a Keras model is computed from images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.sources.calibration import balanced
from export.sources.reading import known_readings
from export.sources.reading_search import SEARCH_IMAGES, Found, search_labelled, search_unlabelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import Color, ResizeMode
    from export.sources.reading import Reading, StatedInput

BATCH = 32


def grey_or_rgb(model: Any) -> Color:  # noqa: ANN401 - Keras is not typed
    """Return the colour of a model's input."""
    return "gray" if model.inputs[0].shape[-1] == 1 else "RGB"


def find_input(
    model: Any,  # noqa: ANN401 - Keras is not typed
    path: Path,
    stated: StatedInput,
    truth: NDArray[np.int64] | None,
    pixels_of: Callable[[NDArray[np.int64], ResizeMode], Pixels],
    *,
    count: int,
    resize: ResizeMode | None,
) -> Found:
    """Find the reading and the fit with the images; what is stated is kept.

    Args:
        model: from (N, height, width, channels) to (N, units).
        path: its file, for errors.
        stated: what is stated about its input.
        truth: the images' class indices, or None.
        pixels_of: returns the pixels of some images, by their indices, with a fit.
        count: number of images.
        resize: the stated fit; None if it is to be found.

    Raises:
        ExportError: what is stated contradicts itself, or images without labels do not show the reading.

    """
    channels = int(model.inputs[0].shape[-1])
    reading, candidates = stated.reading(), known_readings(channels)
    if reading and reading.channels not in {1, channels}:
        raise ExportError(f"{path}: its input is grey, but {reading.name} is for three channels")

    def run(pixels: Pixels, readings: Sequence[Reading]) -> list[NDArray[np.float32]]:
        return [_likely_probabilities(model, item.apply(pixels)) for item in readings]

    fit = resize or "stretch"
    if truth is None and reading is not None:
        return Found(reading, fit, None)
    if truth is None:
        possible = [item for item in candidates if item.bgr or not stated.bgr]
        some = pixels_of(np.arange(min(count, SEARCH_IMAGES)), fit)
        return search_unlabelled(run, some, possible, resize=fit, where=str(path))
    chosen = balanced(truth, SEARCH_IMAGES)
    return search_labelled(
        run,
        lambda mode: pixels_of(chosen, mode),
        truth[chosen],
        candidates,
        stated=reading,
        resize=resize,
        bgr=stated.bgr,
    )


def _likely_probabilities(model: Any, values: NDArray[np.float32]) -> NDArray[np.float32]:  # noqa: ANN401 - the same
    """Return one probability for each class; outputs that are not within 0..1 are taken for logits."""
    parts = [values[start : start + BATCH] for start in range(0, len(values), BATCH)]
    outputs = np.concatenate([np.asarray(model(part, training=False), np.float64) for part in parts])
    is_within = bool((outputs >= 0).all() and (outputs <= 1).all())
    if outputs.shape[1] == 1:
        one = outputs if is_within else 1 / (1 + np.exp(-outputs))
        return np.asarray(np.concatenate([1 - one, one], axis=1), np.float32)
    if not is_within:
        outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        outputs /= outputs.sum(axis=1, keepdims=True)
    return np.asarray(outputs, np.float32)
