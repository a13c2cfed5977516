"""Find how the input of a Keras model is computed from images, and what its outputs are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.importing.graph_model import final_operation
from export.sources.calibration import balanced
from export.sources.exported.ends import LastStep, ModelEnds
from export.sources.exported.head import head_of, likely_head, probabilities
from export.sources.reading import known_readings
from export.sources.reading_search import SEARCH_IMAGES, Found, search_labelled, search_unlabelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ResizeMode
    from export.sources.keras_model import Head
    from export.sources.reading import Reading, StatedInput
    from export.sources.reading_search import Run

BATCH = 32
HEAD_IMAGES = 64
LAST_STEPS: dict[str, LastStep] = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    **dict.fromkeys(("BiasAdd", "MatMul", "Add", "AddV2", "Conv2D", "Mean", "LogSoftmax"), "linear"),
    **dict.fromkeys(("Mul", "RealDiv"), "scaled"),
}


def read_graph_ends(model: Any, graph: bytes) -> ModelEnds:  # noqa: ANN401 - Keras is not typed
    """Return the input and the output of an imported graph, as those of an exported file are described."""
    _, height, width, channels = model.inputs[0].shape
    last = LAST_STEPS.get(final_operation(graph), "other")
    return ModelEnds(height, width, units=int(model.outputs[0].shape[-1]), channels=channels, last=last)


def find_input(
    model: Any,  # noqa: ANN401 - Keras is not typed
    ends: ModelEnds,
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
        ends: its input and output.
        path: its file, for errors.
        stated: what is stated about its input.
        truth: the images' class indices, or None.
        pixels_of: returns the pixels of some images, by their indices, with a fit.
        count: number of images.
        resize: the stated fit; None if it is to be found.

    Raises:
        ExportError: what is stated contradicts itself, or images without labels do not show the reading.

    """
    reading, candidates = stated.reading(), known_readings(ends.channels)
    if reading and reading.channels not in {1, ends.channels}:
        raise ExportError(f"{path}: its input is grey, but {reading.name} is for three channels")
    fit = resize or "stretch"
    if truth is None and reading is not None:
        return Found(reading, fit, None)
    if truth is None:
        possible = [item for item in candidates if item.bgr or not stated.bgr]
        some = pixels_of(np.arange(min(count, SEARCH_IMAGES)), fit)
        return search_unlabelled(_runner(model, ends), some, possible, resize=fit, where=str(path))
    chosen = balanced(truth, SEARCH_IMAGES)
    return search_labelled(
        _runner(model, ends),
        lambda mode: pixels_of(chosen, mode),
        truth[chosen],
        candidates,
        stated=reading,
        resize=resize,
        bgr=stated.bgr,
    )


def _runner(model: Any, ends: ModelEnds) -> Run:  # noqa: ANN401 - the same
    """Return a function that computes probabilities for pixels under each of some readings."""

    def run(pixels: Pixels, readings: Sequence[Reading]) -> list[NDArray[np.float32]]:
        outputs = [_outputs(model, item.apply(pixels)) for item in readings]
        return [probabilities(rows, ends, likely_head(rows, ends)) for rows in outputs]

    return run


def _outputs(model: Any, values: NDArray[np.float32]) -> NDArray[np.float32]:  # noqa: ANN401 - the same
    """Run a model in batches; return its outputs, (N, units)."""
    parts = [values[start : start + BATCH] for start in range(0, len(values), BATCH)]
    return np.concatenate([np.asarray(model(part, training=False), np.float32) for part in parts])


def read_head(
    model: Any,  # noqa: ANN401 - the same
    ends: ModelEnds,
    path: Path,
    pixels: Pixels,
    reading: Reading,
) -> Head:
    """Return what a model's outputs are, from its outputs for real images and its last operation.

    Raises:
        ExportError: they are neither probabilities of classes that exclude each other nor logits.

    """
    return head_of(_outputs(model, reading.apply(pixels[:HEAD_IMAGES])), ends, path)
