"""Draw a model's filters, and the feature maps of its layers for an image."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from trainer.description.graph import flatten, functional
from trainer.description.memory import memory_use
from trainer.description.windows import CONVOLUTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from trainer.description.graph import Step
    from trainer.networks.models import Model

    Floats = NDArray[np.floating[Any]]

SHOWN, ACROSS = 64, 8  # maximum number of tiles in a picture and in one of its rows
DOTS_PER_INCH = 120
# Percentile of the values at the end of the colour scale, so that a single large value does not darken the others.
SCALE_PERCENTILE = 99.5


class Drawn(NamedTuple):
    """A picture of a layer.

    Attributes:
        file: its name in the folder.
        layer: the layer's name.
        caption: what the picture shows.

    """

    file: str
    layer: str
    caption: str


def write_filters(folder: Path, model: Model) -> list[Drawn]:
    """Write a picture of each convolution's kernel into an existing folder; return them in the order of the layers."""
    steps = [step for step in flatten(model).steps if isinstance(step.layer, CONVOLUTIONS) and step.first_call]
    return [_saved(folder, number, step, _draw_filters(step)) for number, step in enumerate(steps, 1)]


def write_features(folder: Path, model: Model, pixels: Pixels) -> list[Drawn]:
    """Write each layer's feature maps of an image into an existing folder; return them in the order of the layers.

    Args:
        folder: the destination.
        model: takes one image, float32 of shape (N, height, width, 3), 0..255.
        pixels: the image, uint8 of shape (height, width, 3), preprocessed.

    """
    maps = features_of(model, pixels)
    return [_saved(folder, number, step, _draw_features(step, values)) for number, (step, values) in enumerate(maps, 1)]


def features_of(model: Model, pixels: Pixels) -> list[tuple[Step, Floats]]:
    """Return the feature maps of an image, float32 of shape (h, w, C), in the order of the layers.

    Of layers that an export merges, such as a convolution, its batch normalisation and its activation, only the last is
    returned. The arguments are those of `write_features`.
    """
    graph = flatten(model)
    last = {use.buffers[0]: at for at, use in enumerate(memory_use(graph))}
    wanted = [at for at in last.values() if len(graph.steps[at].output_shapes[0]) == 3]
    positions = itertools.count(1)  # step 0 is the input
    maps: dict[int, Floats] = {}

    def recorded(layer: Any) -> Any:  # noqa: ANN401 - Keras ships no types
        """Wrap a layer so that its outputs are recorded."""

        def call_and_record(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the same
            """Call the layer and record its output; a nested model is run layer by layer."""
            if isinstance(layer, keras.Model):
                return run(layer, args[0])
            outputs = layer(*args, **kwargs)
            at = next(positions)
            if at in wanted:
                maps[at] = np.asarray(outputs, np.float32)[0]
            return outputs

        return call_and_record

    def run(part: Any, inputs: Any) -> Any:  # noqa: ANN401 - the same
        return functional(part)._run_through_graph(inputs, operation_fn=recorded)  # noqa: SLF001 - Keras has no public hook

    maps[0] = pixels.astype(np.float32)
    run(model, keras.ops.convert_to_tensor(maps[0][None]))
    return [(graph.steps[at], maps[at]) for at in wanted]


def _draw_filters(step: Step) -> Figure:
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
        largest = np.abs(tiles).max(axis=(1, 2, 3), keepdims=True)
        colors = _mosaic(tiles / np.maximum(largest, 1e-12) / 2 + 0.5, empty=1.0)
        return _picture(colors, f"{title}{_count_shown(count)} filters as RGB colours; grey is 0, one scale per filter")
    largest = (kernel**2).sum(axis=(0, 1)).argmax(axis=0)  # (filters,)
    tiles = kernel[:, :, largest, np.arange(count)].transpose(2, 0, 1)
    return _heat(
        _mosaic(tiles),
        f"{title}{_count_shown(count)} filters; of {channels} channels, the one with the largest weights is shown",
    )


def _draw_features(step: Step, values: Floats) -> Figure:
    height, width, channels = values.shape
    title = f"{step.layer.name}: {_count_shown(channels)} feature maps of {height}x{width}"
    if not step.inputs:
        return _picture(values.clip(0, 255) / 255, f"{step.layer.name}: the input of the model, {height}x{width}")
    tiles = values.transpose(2, 0, 1)
    low, high = float(min(values.min(), 0)), float(np.percentile(values, SCALE_PERCENTILE))
    if low < 0:
        return _heat(_mosaic(tiles), title)
    return _picture(_mosaic(tiles), title, cmap="magma", vmin=0, vmax=max(high, 1e-12))


def _count_shown(count: int) -> str:
    return str(count) if count <= SHOWN else f"{SHOWN} of {count}"


def _mosaic(tiles: Floats, empty: float = np.nan) -> Floats:
    """Arrange the first SHOWN tiles, of shape (N, h, w) or (N, h, w, 3), in a grid with gaps."""
    tiles = tiles[:SHOWN]
    gap = max(1, tiles.shape[1] // 16)
    rows = -(-len(tiles) // ACROSS)
    columns = min(ACROSS, len(tiles))
    cell_height, cell_width = tiles.shape[1] + gap, tiles.shape[2] + gap
    canvas = np.full((rows * cell_height - gap, columns * cell_width - gap, *tiles.shape[3:]), empty, np.float32)
    for number, tile in enumerate(tiles):
        top, left = number // ACROSS * cell_height, number % ACROSS * cell_width
        canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return canvas


def _heat(values: Floats, title: str) -> Figure:
    """Draw signed values: red above 0, blue below."""
    largest = max(float(np.nanpercentile(np.abs(values), SCALE_PERCENTILE)), 1e-12)
    return _picture(values, title, cmap="RdBu_r", vmin=-largest, vmax=largest)


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


def _saved(folder: Path, number: int, step: Step, figure: Figure) -> Drawn:
    """Write a figure; its title, without the layer's name, becomes the caption."""
    name = _file_name(number, step)
    figure.savefig(folder / name)
    title = figure.axes[0].get_title()
    return Drawn(name, step.layer.name, title.removeprefix(f"{step.layer.name}: "))


def _file_name(number: int, step: Step) -> str:
    name = "".join(character if character.isalnum() else "_" for character in step.layer.name)
    return f"{number:03}-{name[:80]}.png"
