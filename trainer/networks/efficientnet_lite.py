"""EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, without squeeze-and-excitation, and with ReLU6).

Its layers have the names of those of Keras' MobileNetV2, whose blocks it shares. Its weights were trained with
TensorFlow's padding, Keras' "same", which adds more pixels below and to the right where it must.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import layers

# Keras ships no types; these are keras.Model and symbolic tensors.
Model = Any
Tensor = Any

SMALLEST = 32  # width and height of an input in pixels


class Stage(NamedTuple):
    """Blocks of the same shape; only the first one has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (  # 16 blocks
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def build_efficientnet_lite0(
    *, input_shape: tuple[int, int, int], alpha: float = 1.0, include_top: bool = False, weights: None = None
) -> Model:
    """Build EfficientNet-Lite0 with random weights and without its top; the arguments are those of keras.applications.

    Args:
        input_shape: height, width and channels of the normalised pixels, (pixel - 127) / 128.
        alpha: must be 1; there are no other widths.
        include_top: must be False.
        weights: must be None; `efficientnet_lite_weights` loads them.

    Raises:
        ValueError: alpha is not 1, or the input is too small.

    """
    if alpha != 1:
        raise ValueError(f"has only one width; leave out --alpha {alpha:g}")
    if min(input_shape[:2]) < SMALLEST:
        raise ValueError(
            f"{input_shape[0]}x{input_shape[1]} pixels are too small; pass --image-size {SMALLEST} or more"
        )
    if include_top or weights is not None:
        raise ValueError("is built without its top and its weights")
    image = keras.Input(input_shape)
    x = _convolution(image, 32, 3, 2, ("Conv1", "bn_Conv1", "Conv1_relu"))  # (N, H/2, W/2, 32)
    number = 0
    for stage in STAGES:
        for position in range(stage.blocks):
            x = _block(x, stage, stage.stride if position == 0 else 1, number)
            number += 1
    x = _convolution(x, 1280, 1, 1, ("Conv_1", "Conv_1_bn", "out_relu"))  # (N, H/32, W/32, 1280)
    return keras.Model(image, x, name="efficientnet_lite0")


def block_name(number: int) -> str:
    """Return the beginning of the names of a block's layers; blocks are numbered from 0."""
    return f"block_{number}_" if number else "expanded_conv_"


def _convolution(x: Tensor, filters: int, kernel: int, stride: int, names: tuple[str, str, str]) -> Tensor:
    convolution, norm, relu = names
    x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=convolution)(x)
    return layers.ReLU(6.0, name=relu)(layers.BatchNormalization(epsilon=1e-3, name=norm)(x))


def _block(inputs: Tensor, stage: Stage, stride: int, number: int) -> Tensor:
    """Add an inverted residual block: expand the channels, convolve each by itself, project them to fewer."""
    name = block_name(number)
    x = inputs
    if stage.expansion > 1:
        names = (f"{name}expand", f"{name}expand_BN", f"{name}expand_relu")
        x = _convolution(x, stage.expansion * inputs.shape[-1], 1, 1, names)
    x = layers.DepthwiseConv2D(stage.kernel, stride, "same", use_bias=False, name=f"{name}depthwise")(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}depthwise_BN")(x)
    x = layers.ReLU(6.0, name=f"{name}depthwise_relu")(x)
    x = layers.Conv2D(stage.filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}project_BN")(x)
    return layers.Add(name=f"{name}add")([inputs, x]) if inputs.shape == x.shape else x
