"""Pretrained backbones: load their weights, and divide them into frozen and trainable parts."""

from __future__ import annotations

import re
import warnings
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from keras import layers

from trainer.errors import TrainingError
from trainer.networks.efficientnet_lite import build_efficientnet_lite0
from trainer.networks.efficientnet_lite_weights import load_torch_weights
from trainer.networks.weights import LITE0, TORCH_SUFFIXES, packaged_weights, require_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_runtime.model.spec import ModelSpec

# Keras ships no types; these are keras.Model and symbolic tensors.
Model = Any
Tensor = Any


class PixelRange(NamedTuple):
    """The pixels that a network was trained with: (pixel - mean) / divisor."""

    mean: float
    divisor: float


class Backbone(NamedTuple):
    """A pretrained network.

    Attributes:
        build: takes the arguments of keras.applications, and does not normalise its pixels.
        pixels: what it was trained with.

    """

    build: Callable[..., Model]
    pixels: PixelRange = PixelRange(127.5, 127.5)  # -1..1


BACKBONES = {
    "mobilenet_v2": Backbone(keras.applications.MobileNetV2),
    "mobilenet_v3_small": Backbone(partial(keras.applications.MobileNetV3Small, include_preprocessing=False)),
    "mobilenet_v3_large": Backbone(partial(keras.applications.MobileNetV3Large, include_preprocessing=False)),
    LITE0: Backbone(build_efficientnet_lite0, PixelRange(127.0, 128.0)),
}

# A backbone can end with these layers, unless a branch bypasses them. After a convolution alone, its batch
# normalisation would be missing.
ENDS = (layers.ReLU, layers.Activation, layers.Add, layers.BatchNormalization)
ENDS_IN_WORDS = "an activation with a name of its own, an addition or a batch normalisation that no branch bypasses"
AUTOMATIC_NAME = re.compile(r"(re_lu|activation)(_\d+)?")  # the numbers differ from process to process


def load_backbone(name: str, spec: ModelSpec, weights: str | Path, alpha: float, last: str = "") -> Model:
    """Build a backbone without its top, load its weights, and leave out the layers after `last`.

    Args:
        name: a key of BACKBONES.
        spec: input size.
        weights: "imagenet", "none" for random weights, or a weights file of the backbone without its top.
        alpha: width multiplier.
        last: a layer that no branch bypasses; empty for the whole backbone.

    Raises:
        TrainingError: the weights are not available or do not fit, the input or alpha is too small, or the backbone
            cannot end with `last`.

    """
    backbone = _load_whole(name, spec, weights, alpha)
    return end_with(backbone, last, name) if last else backbone


def _load_whole(name: str, spec: ModelSpec, weights: str | Path, alpha: float) -> Model:
    require_weights(name, str(weights))
    options: dict[str, Any] = {"input_shape": (spec.height, spec.width, 3), "alpha": alpha, "include_top": False}
    if weights == "imagenet" and name != LITE0:
        return _download(name, options)
    try:
        backbone = BACKBONES[name].build(weights=None, **options)
    except ValueError as problem:  # the input or alpha is too small
        raise TrainingError(f"{name}: {_first_line(problem)}") from None
    path = packaged_weights() if weights == "imagenet" else Path(weights)
    if name == LITE0 and path.suffix in TORCH_SUFFIXES:
        load_torch_weights(backbone, path)
    elif weights != "none":
        _load_weights(backbone, path, name if name == LITE0 else f"{name} with --alpha {alpha:g}")
    return backbone


def _download(name: str, options: dict[str, Any]) -> Model:
    try:
        return BACKBONES[name].build(weights="imagenet", **options)
    except ValueError as problem:  # there are no weights for this alpha
        raise TrainingError(f"--weights imagenet: {_first_line(problem)}") from None
    except Exception as problem:  # noqa: BLE001 - Keras raises a bare Exception when a download fails
        raise TrainingError(
            f"--weights imagenet: the download failed ({_first_line(problem)}); "
            "connect to the internet, or pass a file of weights: --weights FILE.weights.h5, or "
            "--model efficientnet_lite0, whose weights are a package"
        ) from None


def _load_weights(backbone: Model, path: Path, description: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns about layers that the file does not contain
            backbone.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as problem:
        raise TrainingError(
            f"{path}: does not contain weights of {description} without its top ({_first_line(problem)}); "
            "pass another file"
        ) from None


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0].rstrip(".")


def end_with(backbone: Model, last: str, name: str) -> Model:
    """Return a backbone without the layers after `last`; it shares the others.

    Args:
        backbone: a whole one.
        last: the name of one of `possible_ends`.
        name: a key of BACKBONES, for the error message.

    Raises:
        TrainingError: the backbone cannot end with this layer.

    """
    ends = possible_ends(backbone)
    if last in ends:
        return keras.Model(backbone.input, backbone.get_layer(last).output, name=backbone.name)
    known = any(layer.name == last for layer in backbone.layers)
    reason = f"can only end with {ENDS_IN_WORDS}" if known else "has no such layer"
    closest = ", ".join(get_close_matches(last, ends, 5, cutoff=0))
    raise TrainingError(f"--cut {last}: {name} {reason}; pass the name of another layer, such as {closest}")


def possible_ends(backbone: Model) -> list[str]:
    """Return the names of the layers with which a backbone can end, from its input to its output."""
    ends = [backbone.layers[position] for position in _cut_positions(backbone)]
    return [layer.name for layer in ends if isinstance(layer, ENDS) and not AUTOMATIC_NAME.fullmatch(layer.name)]


class BackboneParts(NamedTuple):
    """A backbone cut into two models, which share its layers.

    Attributes:
        lower: from normalised pixels to the values at the cut; it stays frozen.
        upper: from these values to the backbone's output; its layers may be trained.

    """

    lower: Model
    upper: Model


def cut(backbone: Model, trainable_layers: int) -> BackboneParts:
    """Cut a backbone below its last `trainable_layers` layers, or lower if a branch bypasses that position.

    The outputs of the lower part are computed once per photograph, and not again in every epoch.
    """
    stack = backbone.layers
    highest = max(len(stack) - trainable_layers, 2)
    last_frozen = stack[max(position for position in _cut_positions(backbone) if position < highest)]
    if last_frozen is stack[-1]:
        features = keras.Input(backbone.output.shape[1:])
        return BackboneParts(backbone, keras.Model(features, layers.Identity()(features)))
    return BackboneParts(
        keras.Model(backbone.input, last_frozen.output), keras.Model(last_frozen.output, backbone.output)
    )


def _cut_positions(backbone: Model) -> list[int]:
    """Return the positions in a backbone's list of layers that no branch bypasses."""
    positions = {id(layer): position for position, layer in enumerate(backbone.layers)}
    last_reader = [0] * len(backbone.layers)  # for each layer, the position of the last layer that uses its output
    for position, layer in enumerate(backbone.layers):
        for node in layer._inbound_nodes:  # noqa: SLF001 - Keras has no public access to its graph
            for tensor in node.input_tensors:
                source = positions.get(id(tensor._keras_history.operation))  # noqa: SLF001 - the same
                if source is not None:
                    last_reader[source] = max(last_reader[source], position)
    return [position for position in range(len(last_reader)) if max(last_reader[:position], default=0) <= position]


def unfreeze_last(backbone: Model, count: int) -> None:
    """Make the last `count` layers of a backbone trainable, except its batch normalisation layers."""
    backbone.trainable = True
    for position, layer in enumerate(reversed(backbone.layers)):
        layer.trainable = position < count and not isinstance(layer, layers.BatchNormalization)
