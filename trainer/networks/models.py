"""The networks, from pixels to probabilities.

Each takes float32 RGB pixels 0..255 of shape (N, H, W, 3), named "image", contains its own normalisation, and returns
"probabilities": a sigmoid of shape (N, 1) for two classes, else a softmax of shape (N, classes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from keras import layers

from trainer.errors import TrainingError
from trainer.networks.backbone import BACKBONES, cut, load_backbone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec

# Keras ships no types; these are keras.Model and symbolic tensors.
Model = Any
Tensor = Any

MOMENTUM = 0.9  # of the moving averages of trainable batch normalisation


class Transfer(NamedTuple):
    """A classifier on a pretrained backbone, and its parts, which share its layers.

    Attributes:
        model: from pixels to probabilities.
        trunk: from pixels to features, float32 of shape (N, D).
        head: from features to probabilities.
        backbone: the pretrained network within the trunk.
        lower: from pixels to the values below the trainable layers, float32 of shape (N, h, w, C).
        neck: from these values to features.
        tail: from these values to probabilities: neck and head.

    """

    model: Model
    trunk: Model
    head: Model
    backbone: Model
    lower: Model
    neck: Model
    tail: Model


def build_cnn(spec: ModelSpec, *, pooling: str = "max") -> Model:
    """Build the baseline CNN.

    It consists of three convolutions and four dense layers. Its ReLU layers use He initialisation, and its pixels are
    centred on zero: with Keras' default initialisation and pixels in 0..1, the accuracy stayed at chance for a dozen
    epochs on 1,100 augmented photographs of ten classes.

    Args:
        spec: input size and labels.
        pooling: "max" adds a 2x2 max-pooling after each convolution, "none" adds none.

    Raises:
        TrainingError: the input is too small for the network.

    """
    image = keras.Input((spec.height, spec.width, 3), name="image")
    x = _normalise(image)
    relu = {"activation": "relu", "kernel_initializer": "he_uniform"}
    for filters in (64, 128, 256):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", **relu)(x)  # (N, H/2, W/2, filters)
        if pooling == "max":
            if min(x.shape[1:3]) < 2:
                raise TrainingError(
                    f"{spec.height}x{spec.width} pixels are too small for cnn; pass --image-size 43 or more"
                )
            x = layers.MaxPooling2D(2)(x)  # (N, H/4, W/4, filters)
    x = layers.Flatten()(x)
    for units in (158, 256, 128):
        x = layers.Dense(units, **relu)(x)
    return keras.Model(image, _output_layer(spec)(x), name="cnn")


def build_cnn_bn(spec: ModelSpec, *, dropout: float = 0.2) -> Model:
    """Build the stronger small network.

    Batch normalisation, residual connections, global average pooling, 0.25 M parameters.

    Plain convolutions, with a shortcut wherever the shape is unchanged (He et al. 2016, arXiv:1512.03385). Max-pooling
    parts the sides instead of a stride: with strides, and as many multiplications, the same training classified 78% of
    222 held-out cats and dogs correctly after 200 epochs, with pooling 81% after 150. Every batch normalisation follows
    a convolution, so that an export can merge them.

    Args:
        spec: input size and labels.
        dropout: fraction of features dropped before the last layer.

    Raises:
        TrainingError: the input is too small for the network.

    """
    if min(spec.height, spec.width) < 32:
        raise TrainingError(f"{spec.height}x{spec.width} pixels are too small for cnn_bn; pass --image-size 32 or more")
    image = keras.Input((spec.height, spec.width, 3), name="image")
    x = _conv_bn_relu(_normalise(image), 16, stride=2)  # (N, H/2, W/2, 16)
    for stage in ((32, 32), (48, 48), (80, 80), (144,)):
        x = layers.MaxPooling2D(2)(x)
        for filters in stage:
            y = _conv_bn_relu(x, filters)
            x = layers.Add()([x, y]) if x.shape == y.shape else y
    features = layers.GlobalAveragePooling2D(name="features")(x)  # (N, H/32, W/32, 144) to (N, 144)
    return keras.Model(image, _output_layer(spec)(layers.Dropout(dropout)(features)), name="cnn_bn")


def _conv_bn_relu(x: Tensor, filters: int, stride: int = 1) -> Tensor:
    y = layers.Conv2D(filters, 3, stride, "same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(y))


def build_transfer(
    name: str,
    spec: ModelSpec,
    *,
    weights: str | Path,
    alpha: float,
    dropout: float,
    last: str = "",
    trainable_layers: int = 0,
) -> Transfer:
    """Build a classifier on a pretrained backbone, which is frozen at first.

    Args:
        name: a key of BACKBONES.
        spec: input size and labels.
        weights: "imagenet", "none" or a weights file of the backbone without its top.
        alpha: the backbone's width.
        dropout: fraction of features dropped while the head is trained.
        last: the backbone's last layer that is used; empty for the whole.
        trainable_layers: number of the backbone's last layers that may be trained later.

    Raises:
        TrainingError: the weights are not available or do not fit the backbone, or it cannot end with `last`.

    """
    backbone = load_backbone(name, spec, weights, alpha, last)
    backbone.trainable = False
    parts = cut(backbone, trainable_layers)
    image = keras.Input((spec.height, spec.width, 3), name="image")
    values_at_cut = keras.Input(parts.upper.input.shape[1:])
    pool, drop, output = layers.GlobalAveragePooling2D(name="features"), layers.Dropout(dropout), _output_layer(spec)
    # training=False keeps the batch normalisation statistics frozen, also during fine-tuning
    normalised = _normalise(image, *BACKBONES[name].pixels)
    features = pool(backbone(normalised, training=False))  # (N, h, w, D) to (N, D)
    upper = pool(parts.upper(values_at_cut, training=False))
    features_input = keras.Input(features.shape[1:])
    return Transfer(
        model=keras.Model(image, output(drop(features)), name=name),
        trunk=keras.Model(image, features),
        head=keras.Model(features_input, output(drop(features_input))),
        backbone=backbone,
        lower=keras.Model(image, parts.lower(normalised, training=False)),
        neck=keras.Model(values_at_cut, upper),
        tail=keras.Model(values_at_cut, output(drop(upper))),
    )


def build_pooled(name: str, backbone: Model, ends: Sequence[str], spec: ModelSpec) -> Model:
    """Return a model from pixels to the pooled values of several layers of a backbone, each float32 of shape (N, D).

    Args:
        name: a key of BACKBONES.
        backbone: the pretrained network of `build_transfer`.
        ends: the names of the layers.
        spec: input size.

    """
    image = keras.Input((spec.height, spec.width, 3), name="image")
    maps = keras.Model(backbone.input, [backbone.get_layer(name).output for name in ends])
    pool = layers.GlobalAveragePooling2D()
    return keras.Model(
        image, [pool(values) for values in maps(_normalise(image, *BACKBONES[name].pixels), training=False)]
    )


def build_untrained(name: str, spec: ModelSpec, *, alpha: float, dropout: float, last: str = "") -> Model:
    """Build a classifier on the network of a pretrained backbone, all layers of which are trained from scratch.

    Its batch normalisation adapts as quickly as cnn_bn's: with Keras' own momentum of 0.99 to 0.999, the moving
    averages need hundreds of steps, more than a few hundred photographs provide, to leave their initial values.

    Args:
        name: a key of BACKBONES.
        spec: input size and labels.
        alpha: the backbone's width.
        dropout: fraction of features dropped before the last layer.
        last: the backbone's last layer that is used; empty for the whole.

    Raises:
        TrainingError: the input or alpha is too small for the backbone, or it cannot end with `last`.

    """
    backbone = load_backbone(name, spec, "none", alpha, last)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = MOMENTUM
    image = keras.Input((spec.height, spec.width, 3), name="image")
    normalised = _normalise(image, *BACKBONES[name].pixels)
    features = layers.GlobalAveragePooling2D(name="features")(backbone(normalised))  # (N, D)
    return keras.Model(image, _output_layer(spec)(layers.Dropout(dropout)(features)), name=name)


def centred(head: Model, mean: NDArray[np.float32], scale: float = 1.0) -> Model:
    """Return a head of `(features - mean) / scale`; it shares the head's layers.

    Args:
        head: from features, shape (N, D), to probabilities.
        mean: shape (D,).
        scale: positive.

    """
    features = keras.Input(head.input_shape[1:])
    x = layers.Rescaling(1 / scale, offset=(-mean / scale).tolist())(features)
    for layer in head.layers[1:]:
        x = layer(x)
    return keras.Model(features, x)


def loss_of(spec: ModelSpec, smoothing: float = 0.0) -> Any:  # noqa: ANN401 - a keras.Loss, untyped
    """Return the cross-entropy for the output; Keras computes it from the logits before the activation.

    Targets are probabilities, float32 of shape (N, 1) for a sigmoid, (N, classes) for a softmax. `smoothing` spreads
    that fraction of each target over all classes (Szegedy et al. 2016, arXiv:1512.00567).
    """
    kind = keras.losses.BinaryCrossentropy if spec.output == "sigmoid" else keras.losses.CategoricalCrossentropy
    return kind(label_smoothing=smoothing)


def is_correct(targets: Tensor, probabilities: Tensor) -> Tensor:
    """Return for each row whether the prediction is correct, float32 of shape (N,), 0 or 1.

    The correct class of a mixed target is the one with the larger probability.

    Args:
        targets: target probabilities, shape (N, 1) of a sigmoid or (N, classes) of a softmax.
        probabilities: the model's output, of the same shape.

    """
    if targets.shape[-1] == 1:
        return keras.metrics.binary_accuracy(keras.ops.round(targets), probabilities)[:, 0]
    return keras.metrics.categorical_accuracy(targets, probabilities)


def accuracy() -> Any:  # noqa: ANN401 - a keras.Metric, untyped
    """Return the metric "accuracy", the mean of `is_correct`."""
    return keras.metrics.MeanMetricWrapper(is_correct, name="accuracy")


def _normalise(image: Tensor, mean: float = 127.5, divisor: float = 127.5) -> Tensor:
    return layers.Rescaling(1 / divisor, offset=-mean / divisor, name="normalisation")(image)


def _output_layer(spec: ModelSpec) -> Any:  # noqa: ANN401 - keras.Layer, untyped
    units = 1 if spec.output == "sigmoid" else len(spec.labels)
    return layers.Dense(units, activation=spec.output, name="probabilities")
