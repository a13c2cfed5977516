"""Pretrained backbones: load their weights, and divide them into frozen and trainable parts."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from keras import layers

from trainer.errors import TrainingError
from trainer.options import require_weights

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.model.spec import ModelSpec

# Keras ships no types; these are keras.Model and symbolic tensors.
Model = Any
Tensor = Any

BACKBONES = {
    "mobilenet_v2": keras.applications.MobileNetV2,
    "mobilenet_v3_small": keras.applications.MobileNetV3Small,
    "mobilenet_v3_large": keras.applications.MobileNetV3Large,
}


def load_backbone(name: str, spec: ModelSpec, weights: str | Path, alpha: float) -> Model:
    """Build a backbone without its top and load its weights; arguments and errors as for `build_transfer`."""
    options: dict[str, Any] = {"input_shape": (spec.height, spec.width, 3), "alpha": alpha, "include_top": False}
    if name != "mobilenet_v2":
        options["include_preprocessing"] = False  # the model contains its own normalisation
    if weights == "imagenet":
        return _downloaded(name, options)
    try:
        backbone = BACKBONES[name](weights=None, **options)
    except ValueError as problem:  # the input or alpha is too small
        raise TrainingError(f"{name}: {_first_line(problem)}") from None
    if weights != "none":
        _load_weights(backbone, weights, f"{name} with --alpha {alpha:g}")
    return backbone


def _downloaded(name: str, options: dict[str, Any]) -> Model:
    try:
        return BACKBONES[name](weights="imagenet", **options)
    except ValueError as problem:  # there are no weights for this alpha
        raise TrainingError(f"--weights imagenet: {_first_line(problem)}") from None
    except Exception as problem:  # noqa: BLE001 - Keras raises a bare Exception when a download fails
        raise TrainingError(
            f"--weights imagenet: the download failed ({_first_line(problem)}); "
            "connect to the internet, or pass a file of weights: --weights FILE.weights.h5"
        ) from None


def _load_weights(backbone: Model, path: str | Path, wanted: str) -> None:
    require_weights(str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns about layers that the file does not contain
            backbone.load_weights(str(path))
    except (OSError, ValueError, KeyError, UserWarning) as problem:
        raise TrainingError(
            f"{path}: does not contain weights of {wanted} without its top ({_first_line(problem)}); pass another file"
        ) from None


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0].rstrip(".")


class Halves(NamedTuple):
    """A backbone in two parts, which share its layers.

    Attributes:
        lower: from normalised pixels to the values at the cut; it stays frozen.
        upper: from these values to the backbone's output; its layers may be trained.

    """

    lower: Model
    upper: Model


def cut(backbone: Model, learning: int) -> Halves:
    """Cut a backbone below its last `learning` layers, or as little lower as its branches require.

    Everything below the cut is computed once per photograph, and not again in every epoch.
    """
    stack = backbone.layers
    chosen = stack[max(place for place in _narrow(backbone) if place < max(len(stack) - learning, 2))]
    if chosen is stack[-1]:
        given = keras.Input(backbone.output.shape[1:])
        return Halves(backbone, keras.Model(given, layers.Identity()(given)))
    return Halves(keras.Model(backbone.input, chosen.output), keras.Model(chosen.output, backbone.output))


def _narrow(backbone: Model) -> list[int]:
    """Return the positions in a backbone's list of layers that all data from below passes through."""
    places = {id(layer): place for place, layer in enumerate(backbone.layers)}
    reach = [0] * len(backbone.layers)  # the last layer that uses each one's output
    for place, layer in enumerate(backbone.layers):
        for node in layer._inbound_nodes:  # noqa: SLF001 - Keras tells its graph nowhere else
            for tensor in node.input_tensors:
                source = places.get(id(tensor._keras_history.operation))  # noqa: SLF001 - the same
                if source is not None:
                    reach[source] = max(reach[source], place)
    return [place for place in range(len(reach)) if max(reach[:place], default=0) <= place]


def unfreeze_last(backbone: Model, count: int) -> None:
    """Make the last `count` layers of a backbone trainable, except its batch normalisation layers."""
    backbone.trainable = True
    for position, layer in enumerate(reversed(backbone.layers)):
        layer.trainable = position < count and not isinstance(layer, layers.BatchNormalization)
