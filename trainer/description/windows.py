"""The article's formula for a layer that slides a window over an image, and what its multiplications cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from keras import layers

from trainer.description.graph import size

if TYPE_CHECKING:
    from trainer.description.graph import Layer, Shape, Step

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
UNCOUNTED = (layers.BatchNormalization, layers.Normalization, layers.PReLU, layers.Dropout)  # a few a value
POOLING = (layers.MaxPooling2D, layers.AveragePooling2D)


class Window(NamedTuple):
    """A window along one axis of an image.

    Attributes:
        n: length of the axis.
        f: length of the window, its holes (dilation) included.
        before: zeros put before the axis; p of the formula where `after` is equal.
        after: zeros put behind it.
        s: stride.

    """

    n: int
    f: int
    before: int
    after: int
    s: int

    @property
    def output(self) -> int:
        """Give (n - f + 2p)/s + 1, rounded down; 2p is `before` + `after`, which differ at times."""
        return (self.n - self.f + self.before + self.after) // self.s + 1

    def __str__(self) -> str:
        """Give the formula with its numbers."""
        return f"({self.n}-{self.f}+{self.before + self.after})/{self.s}+1"


def windows_of(step: Step) -> tuple[Window, Window] | None:
    """Give a layer's windows down and across; None for a layer that has none."""
    layer = step.layer
    if isinstance(layer, layers.ZeroPadding2D):
        sides = _sides(layer, step.taken[0])
        return _pair(Window(n, 1, before, after, 1) for n, (before, after) in zip(sides, layer.padding, strict=True))
    if not isinstance(layer, (*CONVOLUTIONS, *POOLING)):
        return None
    lengths = layer.pool_size if isinstance(layer, POOLING) else layer.kernel_size
    dilation = getattr(layer, "dilation_rate", (1, 1))
    axes = zip(_sides(layer, step.taken[0]), lengths, dilation, layer.strides, strict=True)
    return _pair(_window(n, (f - 1) * holes + 1, s, layer.padding) for n, f, holes, s in axes)


def multiply_adds(step: Step) -> int | None:
    """Give how many multiplications with an addition a layer makes for one image; None where that is not known.

    Convolutions and dense layers are counted, as in the papers on MobileNet. Batch-norm, bias, activations, pooling
    and additions are not: they are folded away or are a few for each value.
    """
    layer, taken, given = step.layer, size(step.taken[0]) if step.taken else 0, size(step.given[0])
    kernel = size(tuple(getattr(layer, "kernel_size", ())))
    count = None
    if isinstance(layer, layers.SeparableConv2D):
        depthwise = given // layer.filters * _channels(layer, step.taken[0]) * layer.depth_multiplier
        count = depthwise * (kernel + layer.filters)
    elif isinstance(layer, layers.DepthwiseConv2D):
        count = given * kernel
    elif isinstance(layer, (layers.Conv1D, layers.Conv2D, layers.Conv3D)):
        count = given * kernel * _channels(layer, step.taken[0]) // layer.groups
    elif isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)):
        count = taken * kernel * layer.filters
    elif isinstance(layer, layers.Dense):
        count = taken * layer.units
    elif isinstance(layer, UNCOUNTED) or not getattr(layer, "weights", ()):
        count = 0
    return count


def same_padding(n: int, f: int, s: int) -> tuple[int, int]:
    """Give the zeros that "same" puts before and behind an axis: the output has n/s places, an odd zero goes behind.

    TensorFlow's rule: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2.
    """
    zeros = max((-(-n // s) - 1) * s + f - n, 0)
    return zeros // 2, zeros - zeros // 2


def _window(n: int, f: int, s: int, padding: str) -> Window:
    before, after = same_padding(n, f, s) if padding == "same" else (0, 0)
    return Window(n, f, before, after, s)


def _pair(windows: Any) -> tuple[Window, Window]:  # noqa: ANN401 - any iterable of two
    down, across = windows
    return down, across


def _sides(layer: Layer, shape: Shape) -> Shape:
    return shape[:2] if layer.data_format == "channels_last" else shape[1:]


def _channels(layer: Layer, shape: Shape) -> int:
    return shape[-1] if layer.data_format == "channels_last" else shape[0]
