"""The networks, from pixels to probabilities.

Each takes float32 RGB pixels 0..255 of shape (N, H, W, 3), named "image", holds its own normalisation, and gives
"probabilities": a sigmoid of shape (N, 1) for two classes, else a softmax of shape (N, classes).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from keras import layers

from trainer.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.spec import ModelSpec

# Keras ships no types; these are keras.Model and symbolic tensors.
Model = Any
Tensor = Any

BACKBONES = {
    "mobilenet_v2": keras.applications.MobileNetV2,
    "mobilenet_v3_small": keras.applications.MobileNetV3Small,
    "mobilenet_v3_large": keras.applications.MobileNetV3Large,
}


class Transfer(NamedTuple):
    """A classifier on a pretrained backbone, and its two halves, which share its layers.

    Attributes:
        whole: from pixels to probabilities.
        trunk: from pixels to features, float32 of shape (N, D).
        head: from features to probabilities.
        backbone: the pretrained network within the trunk.

    """

    whole: Model
    trunk: Model
    head: Model
    backbone: Model


def build_cnn(spec: ModelSpec, *, pooling: str = "max") -> Model:
    """Build the article's network.

    Its seven ReLU layers start from He's weights and pixels centred on zero: from Keras' own start and pixels in
    0..1 it stood still at chance for a dozen epochs on 1,100 augmented photographs of ten classes.

    Args:
        spec: input size and labels.
        pooling: "max" puts a 2x2 max-pooling behind each convolution, "none" leaves it out.

    Raises:
        TrainingError: the input is too small for it.

    """
    image = keras.Input((spec.height, spec.width, 3), name="image")
    x = _normalised(image)
    relu = {"activation": "relu", "kernel_initializer": "he_uniform"}
    for filters in (64, 128, 256):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", **relu)(x)  # (N, H/2, W/2, filters)
        if pooling == "max":
            if min(x.shape[1:3]) < 2:
                raise TrainingError(
                    f"{spec.height}x{spec.width} pixels are too few for cnn; pass --image-size 43 or more"
                )
            x = layers.MaxPooling2D(2)(x)  # (N, H/4, W/4, filters)
    x = layers.Flatten()(x)
    for units in (158, 256, 128):
        x = layers.Dense(units, **relu)(x)
    return keras.Model(image, _output(spec)(x), name="cnn")


def build_transfer(name: str, spec: ModelSpec, *, weights: str | Path, alpha: float, dropout: float) -> Transfer:
    """Build a classifier on a Keras-applications backbone, which starts out frozen.

    Args:
        name: a key of BACKBONES.
        spec: input size and labels.
        weights: "imagenet", "none" or a weights file of the backbone without its top.
        alpha: the backbone's width.
        dropout: share of features dropped while the head is trained.

    Raises:
        TrainingError: the weights cannot be had or fit no such backbone.

    """
    backbone = _backbone(name, spec, weights, alpha)
    backbone.trainable = False
    image = keras.Input((spec.height, spec.width, 3), name="image")
    x = _normalised(image)
    # training=False keeps the batch-norm statistics frozen, also while the last layers are fine-tuned
    x = backbone(x, training=False)  # (N, H/32, W/32, D)
    features = layers.GlobalAveragePooling2D(name="features")(x)  # (N, D)
    drop, output = layers.Dropout(dropout), _output(spec)
    given = keras.Input(features.shape[1:])
    return Transfer(
        whole=keras.Model(image, output(drop(features)), name=name),
        trunk=keras.Model(image, features),
        head=keras.Model(given, output(drop(given))),
        backbone=backbone,
    )


def unfreeze_last(backbone: Model, count: int) -> None:
    """Let the last `count` layers of a backbone learn, its batch-norm layers excepted."""
    backbone.trainable = True
    for position, layer in enumerate(reversed(backbone.layers)):
        layer.trainable = position < count and not isinstance(layer, layers.BatchNormalization)


def loss_of(spec: ModelSpec) -> str:
    """Name the cross-entropy that suits the output; Keras computes it from the logits before the activation."""
    return "binary_crossentropy" if spec.output == "sigmoid" else "sparse_categorical_crossentropy"


def _normalised(image: Tensor) -> Tensor:
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="normalisation")(image)  # -1..1


def _output(spec: ModelSpec) -> Any:  # noqa: ANN401 - keras.Layer, untyped
    units = 1 if spec.output == "sigmoid" else len(spec.labels)
    return layers.Dense(units, activation=spec.output, name="probabilities")


def _backbone(name: str, spec: ModelSpec, weights: str | Path, alpha: float) -> Model:
    options: dict[str, Any] = {"input_shape": (spec.height, spec.width, 3), "alpha": alpha, "include_top": False}
    if name != "mobilenet_v2":
        options["include_preprocessing"] = False  # the one normalisation is ours
    if weights == "imagenet":
        return _downloaded(name, options)
    try:
        backbone = BACKBONES[name](weights=None, **options)
    except ValueError as problem:  # an input or an alpha that is too small
        raise TrainingError(f"{name}: {_first_line(problem)}") from None
    if weights != "none":
        _load_weights(backbone, weights, f"{name} with --alpha {alpha:g}")
    return backbone


def _downloaded(name: str, options: dict[str, Any]) -> Model:
    try:
        return BACKBONES[name](weights="imagenet", **options)
    except ValueError as problem:  # an alpha for which there are none
        raise TrainingError(f"--weights imagenet: {_first_line(problem)}") from None
    except Exception as problem:  # noqa: BLE001 - Keras raises a bare Exception when a download fails
        raise TrainingError(
            f"--weights imagenet: the download failed ({_first_line(problem)}); "
            "go online, or pass a file of weights: --weights FILE.weights.h5"
        ) from None


def _load_weights(backbone: Model, path: str | Path, wanted: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns of layers that the file does not fill
            backbone.load_weights(str(path))
    except FileNotFoundError:
        raise TrainingError(f"{path}: no such file; pass --weights FILE, imagenet or none") from None
    except (OSError, ValueError, KeyError, UserWarning) as problem:
        raise TrainingError(
            f"{path}: holds no weights of {wanted} without its top ({_first_line(problem)}); pass its own file"
        ) from None


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0].rstrip(".")
