"""Common preprocessing mistakes: what each would cost a model, and the outputs by which it is recognised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from edge_runtime.image.preprocess import grey, image_of, load_image, to_input
from export.sources.calibration import balanced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from edge_runtime.model.spec import ModelSpec
    from export.sources.source_model import SourceModel

Numbers = np.ndarray[Any, Any]
MOST_IMAGES = 100  # a mistake that matters shows on a hundred; each costs the trained model a run on all of them

SWAPPED = "red and blue swapped (BGR)"
# The input that a device with the mistake would use, as pixels 0..255 of the graph.
ON_PIXELS: Mapping[str, Callable[[Numbers], Numbers]] = {
    SWAPPED: lambda pixels: pixels[..., ::-1],
    # The model gets 0..1 although it was trained with -1..1: the upper half of its range.
    "0..1 instead of -1..1": lambda pixels: 127.5 + pixels / 2,
    # The device scales to -1..1, and the graph scales again.
    "normalised twice": lambda pixels: pixels / 127.5 - 1,
    "mirrored": lambda pixels: pixels[:, :, ::-1],
}
NEAREST, OTHER_FIT, SIDEWAYS = "nearest resize", "another resize mode (crop or stretch)", "EXIF rotation ignored"


@dataclass(frozen=True)
class Cost:
    """The cost of a mistake.

    Attributes:
        mistake: its name.
        images: number of images.
        accuracy: the trained model's accuracy with the mistake, 0..1.
        right_accuracy: without the mistake, on the same images.

    """

    mistake: str
    images: int
    accuracy: float
    right_accuracy: float


def costs(
    source: SourceModel, reference: NDArray[np.float32], progress: Callable[[str], None] = lambda _: None
) -> list[Cost]:
    """Measure every mistake that can be applied to preprocessed images, on at most MOST_IMAGES held-out ones.

    Args:
        source: the model and its held-out images.
        reference: its probabilities for them.
        progress: called with a line for each mistake.

    """
    chosen = balanced(source.holdout_labels, MOST_IMAGES)
    pixels, labels = source.holdout[chosen], source.holdout_labels[chosen]
    right = float(np.mean(reference[chosen].argmax(axis=1) == labels))
    changed = {name: change(pixels.astype(np.float32)) for name, change in _on_pixels(source.spec).items()}
    if source.spec.height == source.spec.width:
        changed[SIDEWAYS] = np.rot90(pixels, axes=(1, 2))
    changed[OTHER_FIT] = np.stack([_refitted(image, source.spec) for image in pixels])
    changed[NEAREST] = np.stack([_coarse(image) for image in pixels])
    found: list[Cost] = []
    for name, inputs in changed.items():
        progress(f"  {name} ({len(found) + 1} of {len(changed)})")
        accuracy = float(np.mean(source.probabilities(inputs).argmax(axis=1) == labels))
        found.append(Cost(name, len(labels), accuracy, right))
    return found


def signatures(source: SourceModel) -> dict[str, NDArray[np.float32]]:
    """Return the trained model's probabilities for the sample images with each mistake, (n_samples, n_classes)."""
    spec = source.spec
    decoded = [load_image(path, spec) for path in source.samples]
    right = np.stack([to_input(image, spec) for image in decoded]).astype(np.float32)
    inputs = {name: change(right) for name, change in _on_pixels(spec).items()}
    inputs[SIDEWAYS] = np.stack([to_input(image.transpose(Image.Transpose.ROTATE_90), spec) for image in decoded])
    other = replace(spec, resize="stretch" if spec.resize == "crop" else "crop")
    inputs[OTHER_FIT] = np.stack([to_input(load_image(path, other), other) for path in source.samples])
    size = (spec.width, spec.height)
    nearest = [np.asarray(image.resize(size, Image.Resampling.NEAREST)) for image in decoded]
    inputs[NEAREST] = np.stack(nearest if spec.color == "RGB" else [grey(pixels) for pixels in nearest])
    return {name: source.probabilities(pixels) for name, pixels in inputs.items()}


def _on_pixels(spec: ModelSpec) -> dict[str, Callable[[Numbers], Numbers]]:
    """Return the mistakes that change the input of a model; a grey one has no order of channels."""
    return {name: change for name, change in ON_PIXELS.items() if spec.color == "RGB" or name != SWAPPED}


def _refitted(pixels: Pixels, spec: ModelSpec) -> Pixels:
    """Crop the middle of a preprocessed image, as a device that crops would."""
    height, width = pixels.shape[:2]
    margins = (1 - spec.crop_fraction) / 2 * np.array([width, height])
    box = (margins[0], margins[1], width - margins[0], height - margins[1])
    resized = image_of(pixels).resize((width, height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized).reshape(pixels.shape)


def _coarse(pixels: Pixels) -> Pixels:
    """Return the jagged edges of taking every second pixel, the coarsest sampling that a preprocessed image allows."""
    image = image_of(pixels)
    half = image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.NEAREST)
    return np.asarray(half.resize(image.size, Image.Resampling.BILINEAR)).reshape(pixels.shape)
