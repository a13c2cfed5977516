"""Draw a model's filters, and the feature maps of its layers for an image."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from trainer.description.graph import flatten, functional
from trainer.description.memory import hold
from trainer.description.windows import CONVOLUTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from trainer.description.graph import Step
    from trainer.networks.models import Model

    Floats = NDArray[np.floating[Any]]

SHOWN, ACROSS = 64, 8  # tiles of a picture, and of one of its rows
DOTS_PER_INCH = 120
BRIGHTEST = (
    99.5  # percentile of a layer's values that is drawn white, so that a single large value does not darken the rest
)


def write_filters(folder: Path, model: Model) -> int:
    """Write a picture of each convolution's kernel into an existing folder; return their number."""
    steps = [step for step in flatten(model).steps if isinstance(step.layer, CONVOLUTIONS) and step.first]
    for number, step in enumerate(steps, 1):
        _filters(step).savefig(folder / _file(number, step))
    return len(steps)


def write_features(folder: Path, model: Model, pixels: Pixels) -> int:
    """Write each layer's feature maps of an image into an existing folder; return the number of pictures.

    Args:
        folder: the destination.
        model: takes one image, float32 of shape (N, height, width, 3), 0..255.
        pixels: the image, uint8 of shape (height, width, 3), preprocessed.

    """
    maps = features_of(model, pixels)
    for number, (step, values) in enumerate(maps, 1):
        _features(step, values).savefig(folder / _file(number, step))
    return len(maps)


def features_of(model: Model, pixels: Pixels) -> list[tuple[Step, Floats]]:
    """Return the feature maps of an image, float32 of shape (h, w, C), in the order of the layers.

    Of layers that an export merges into one, such as a convolution, its batch normalisation and its activation, only
    the last is returned; arguments as for `write_features`.
    """
    graph = flatten(model)
    last = {one.buffers[0]: at for at, one in enumerate(hold(graph))}
    wanted = [at for at in last.values() if len(graph.steps[at].given[0]) == 3]
    places = itertools.count(1)  # the only input precedes every call
    seen: dict[int, Floats] = {}

    def watched(layer: Any) -> Any:  # noqa: ANN401 - Keras ships no types
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the same
            if isinstance(layer, keras.Model):  # a nested call is not part of the graph around it
                return run(layer, args[0])
            given = layer(*args, **kwargs)
            at = next(places)
            if at in wanted:
                seen[at] = np.asarray(given, np.float32)[0]
            return given

        return call

    def run(part: Any, inputs: Any) -> Any:  # noqa: ANN401 - the same
        return functional(part)._run_through_graph(inputs, operation_fn=watched)  # noqa: SLF001 - Keras has no hook

    seen[0] = pixels.astype(np.float32)
    run(model, keras.ops.convert_to_tensor(seen[0][None]))
    return [(graph.steps[at], seen[at]) for at in wanted]


def _filters(step: Step) -> Figure:
    kernel = np.asarray(step.layer.weights[0], np.float32)  # (h, w, C, filters)
    height, width, channels, count = kernel.shape
    title = f"{step.layer.name}: "
    if height == width == 1:
        title += f"weights of {channels} channels (across) in {count} filters (down)"
        return _heat(kernel[0, 0].T, title)
    if count == 1 or "Depthwise" in type(step.layer).__name__ or "Separable" in type(step.layer).__name__:
        tiles = kernel.reshape(height, width, -1).transpose(2, 0, 1)
        return _heat(_mosaic(tiles), f"{title}{_count_shown(len(tiles))} filters, one per channel, {height}x{width}")
    if channels == 3:
        tiles = kernel.transpose(3, 0, 1, 2)
        reach = np.abs(tiles).max(axis=(1, 2, 3), keepdims=True)
        colors = _mosaic(tiles / np.maximum(reach, 1e-12) / 2 + 0.5, empty=1.0)
        return _picture(colors, f"{title}{_count_shown(count)} filters as colours; grey is 0, each with its own scale")
    heaviest = (kernel**2).sum(axis=(0, 1)).argmax(axis=0)  # (filters,)
    tiles = kernel[:, :, heaviest, np.arange(count)].transpose(2, 0, 1)
    return _heat(
        _mosaic(tiles),
        f"{title}{_count_shown(count)} filters, each for the one of {channels} channels with the largest weights",
    )


def _features(step: Step, values: Floats) -> Figure:
    height, width, channels = values.shape
    title = f"{step.layer.name}: {_count_shown(channels)} feature maps of {height}x{width}"
    if not step.inputs:
        return _picture(values.clip(0, 255) / 255, f"{step.layer.name}: the input of the model, {height}x{width}")
    tiles = values.transpose(2, 0, 1)
    low, high = float(min(values.min(), 0)), float(np.percentile(values, BRIGHTEST))
    if low < 0:
        return _heat(_mosaic(tiles), title)
    return _picture(_mosaic(tiles), title, cmap="magma", vmin=0, vmax=max(high, 1e-12))


def _count_shown(count: int) -> str:
    return str(count) if count <= SHOWN else f"{SHOWN} of {count}"


def _mosaic(tiles: Floats, empty: float = np.nan) -> Floats:
    """Draw the first tiles, (N, h, w) or (N, h, w, 3), in a grid with gaps."""
    tiles = tiles[:SHOWN]
    gap = max(1, tiles.shape[1] // 16)
    rows = -(-len(tiles) // ACROSS)
    columns = min(ACROSS, len(tiles))
    high, wide = tiles.shape[1] + gap, tiles.shape[2] + gap
    whole = np.full((rows * high - gap, columns * wide - gap, *tiles.shape[3:]), empty, np.float32)
    for number, tile in enumerate(tiles):
        top, left = number // ACROSS * high, number % ACROSS * wide
        whole[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return whole


def _heat(values: Floats, title: str) -> Figure:
    """Draw signed values with one scale: red above 0, blue below."""
    reach = max(float(np.nanpercentile(np.abs(values), BRIGHTEST)), 1e-12)
    return _picture(values, title, cmap="RdBu_r", vmin=-reach, vmax=reach)


def _picture(values: Floats, title: str, **scale: Any) -> Figure:  # noqa: ANN401 - as imshow takes them
    ratio = values.shape[0] / values.shape[1]
    figure = Figure(figsize=(6.6, min(max(6.0 * ratio, 1.2), 9.0) + 0.6), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawn = axes.imshow(values, interpolation="nearest", **scale)
    axes.set_axis_off()
    axes.set_title(title, fontsize=9, wrap=True)
    if scale:
        figure.colorbar(drawn, ax=axes, shrink=0.8, extend="both" if scale["vmin"] < 0 else "max")
    return figure


def _file(number: int, step: Step) -> str:
    name = "".join(character if character.isalnum() else "_" for character in step.layer.name)
    return f"{number:03}-{name[:80]}.png"
