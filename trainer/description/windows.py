"""The output size of a layer that slides a window over an image, and the number of its multiplications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from keras import layers

from trainer.description.graph import size

if TYPE_CHECKING:
    from trainer.description.graph import Layer, Shape, Step

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
# These need only a few operations per value, which are not counted.
UNCOUNTED = (layers.BatchNormalization, layers.Normalization, layers.PReLU, layers.Dropout)
POOLING = (layers.MaxPooling2D, layers.AveragePooling2D)


class Window(NamedTuple):
    """A window along one axis of an image.

    Attributes:
        n: length of the axis.
        f: length of the window, including its dilation.
        before: zeros before the axis.
        after: zeros after the axis.
        s: stride.

    """

    n: int
    f: int
    before: int
    after: int
    s: int

    @property
    def output(self) -> int:
        """Return the length of the output: (n - f + 2p)/s + 1, rounded down, where 2p is `before` + `after`."""
        return (self.n - self.f + self.before + self.after) // self.s + 1

    def __str__(self) -> str:
        """Return the formula with its numbers."""
        return f"({self.n}-{self.f}+{self.before + self.after})/{self.s}+1"


def windows_of(step: Step) -> tuple[Window, Window] | None:
    """Return a layer's vertical and horizontal window; None for a layer without windows."""
    layer = step.layer
    if isinstance(layer, layers.ZeroPadding2D):
        sides = _sides(layer, step.input_shapes[0])
        return _pair(Window(n, 1, before, after, 1) for n, (before, after) in zip(sides, layer.padding, strict=True))
    if not isinstance(layer, (*CONVOLUTIONS, *POOLING)):
        return None
    lengths = layer.pool_size if isinstance(layer, POOLING) else layer.kernel_size
    dilation = getattr(layer, "dilation_rate", (1, 1))
    axes = zip(_sides(layer, step.input_shapes[0]), lengths, dilation, layer.strides, strict=True)
    return _pair(_window(n, (f - 1) * rate + 1, s, layer.padding) for n, f, rate, s in axes)


def multiply_adds(step: Step) -> int | None:
    """Return the number of multiply-adds of a layer for one image; None if unknown.

    Convolutions and dense layers are counted, as in the MobileNet papers. Batch normalisation, bias, activations,
    pooling and additions are not: they are merged into other layers or take only a few operations per value.
    """
    layer = step.layer
    inputs, outputs = size(step.input_shapes[0]) if step.input_shapes else 0, size(step.output_shapes[0])
    kernel = size(tuple(getattr(layer, "kernel_size", ())))
    count = None
    if isinstance(layer, layers.SeparableConv2D):
        depthwise = outputs // layer.filters * _channels(layer, step.input_shapes[0]) * layer.depth_multiplier
        count = depthwise * (kernel + layer.filters)
    elif isinstance(layer, layers.DepthwiseConv2D):
        count = outputs * kernel
    elif isinstance(layer, (layers.Conv1D, layers.Conv2D, layers.Conv3D)):
        count = outputs * kernel * _channels(layer, step.input_shapes[0]) // layer.groups
    elif isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)):
        count = inputs * kernel * layer.filters
    elif isinstance(layer, layers.Dense):
        count = inputs * layer.units
    elif isinstance(layer, UNCOUNTED) or not getattr(layer, "weights", ()):
        count = 0
    return count


def same_padding(n: int, f: int, s: int) -> tuple[int, int]:
    """Return the number of zeros that the padding "same" adds before and after an axis.

    The output has n/s positions, rounded up. If the number of zeros is odd, one more is added after the axis. Source of
    the rule: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2.

    Args:
        n: length of the axis.
        f: length of the window, including its dilation.
        s: stride.

    """
    zeros = max((-(-n // s) - 1) * s + f - n, 0)
    return zeros // 2, zeros - zeros // 2


def _window(n: int, f: int, s: int, padding: str) -> Window:
    before, after = same_padding(n, f, s) if padding == "same" else (0, 0)
    return Window(n, f, before, after, s)


def _pair(windows: Any) -> tuple[Window, Window]:  # noqa: ANN401 - an iterable of two windows
    vertical, horizontal = windows
    return vertical, horizontal


def _sides(layer: Layer, shape: Shape) -> Shape:
    return shape[:2] if layer.data_format == "channels_last" else shape[1:]


def _channels(layer: Layer, shape: Shape) -> int:
    return shape[-1] if layer.data_format == "channels_last" else shape[0]
