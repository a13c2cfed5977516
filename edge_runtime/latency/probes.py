"""The small networks whose times are measured on a device.

Operators are measured in chains, because a runtime merges neighbours, and because an operator in a network finds its
input in a cache. The shapes are those of classifiers: from many positions with few channels to the opposite.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from edge_runtime.latency.operator import Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_runtime.latency.operator import Shape

Chain = tuple[Operator, ...]
# Sides of the activations in pixels, with numbers of channels that networks have there.
CHANNELS = {
    112: (16,),
    80: (24,),
    64: (8,),
    56: (40,),
    40: (24,),
    32: (16, 48),
    28: (32,),
    20: (64,),
    16: (24, 80),
    14: (96,),
    10: (56,),
    8: (144,),
    7: (160,),
    5: (224,),
    4: (96,),
    3: (160,),
}
EXPANSION = 6  # of the channels within a block of a MobileNet
# Side, channels and number of blocks of networks whose weights do not fit into the fastest cache, as in real networks.
DEEP = ((56, 24, 2), (28, 32, 4), (20, 40, 3), (14, 64, 4), (14, 96, 3), (10, 96, 4), (7, 160, 3), (5, 224, 2))
DEEP_PLAIN = ((16, 48, 6), (8, 80, 4), (4, 144, 4))
PIXELS = ((64, 16), (96, 16), (128, 32), (160, 16), (192, 32), (224, 16))  # side, and channels of the first convolution
ENDS = ((7, 1280, 3), (5, 576, 10), (3, 1792, 100), (4, 144, 2), (8, 448, 30))  # side, channels and classes
DENSE = ((512, 128), (2304, 160), (4096, 256), (128, 1024))
ELEMENTWISE = ((1, 1, 16), (7, 7, 960), (14, 14, 240), (56, 56, 16), (28, 28, 200))
POOLED = ((112, 112, 16), (48, 48, 64), (12, 12, 128), (3, 3, 256))
MOST_MULTIPLICATIONS = 60e6


def probes() -> list[Chain]:
    """Return the chains of operators, each of which is one small network."""
    chains = [*_first(), *_last(), *_elementwise(), *_deep()]
    for side, counts in CHANNELS.items():
        for channels in counts:
            chains += _at((side, side, channels))
    return [chain for chain in chains if sum(map(_multiplications, chain)) <= MOST_MULTIPLICATIONS]


def _at(shape: Shape) -> Iterator[Chain]:
    side, _, channels = shape
    wide, window = (side, side, EXPANSION * channels), 5 if channels % 16 else 3
    yield _block(shape, EXPANSION * channels, channels, 3, 1)
    yield _block(shape, 4 * channels, _even(1.5 * channels), window, 2)
    yield (_conv(shape, 2 * channels), _conv((side, side, 2 * channels), channels), _conv(shape, 3 * channels))
    yield (_depthwise(wide, 3, 1), _depthwise(wide, window, 2))
    yield (_conv(shape, channels, 3), _pool(shape))
    yield (_conv(shape, 2 * channels, 3, 2),)
    yield _excitation((side, side, 3 * channels))


def _first() -> Iterator[Chain]:
    """Yield the first operators of networks, from pixels."""
    for side, channels in PIXELS:
        pixels = (side, side, 3)
        scaled = (_same("QUANTIZE", pixels), _same("MUL", pixels, 1), _same("ADD", pixels, 1))
        yield scaled
        yield (*scaled, _conv(pixels, channels, 3, 2))


def _last() -> Iterator[Chain]:
    """Yield the last operators of networks, to probabilities, and dense layers."""
    for side, channels, classes in ENDS:
        result = (1, 1, classes)
        mean = Operator("MEAN", (side, side, channels), (1, 1, channels))
        yield (mean, _dense(channels, classes), _same("SOFTMAX", result), _same("QUANTIZE", result, kind="UINT8"))
    for inputs, units in DENSE:
        yield (_dense(inputs, units),)


def _elementwise() -> Iterator[Chain]:
    for shape in ELEMENTWISE:
        yield (_same("HARD_SWISH", shape),)
        yield (_same("HARD_SWISH", shape), _same("ADD", shape, prod(shape)))
        yield (_same("LOGISTIC", shape),)
    for shape in POOLED:
        yield (_pool(shape),)


def _deep() -> Iterator[Chain]:
    for side, channels, blocks in DEEP:
        yield blocks * _block((side, side, channels), EXPANSION * channels, channels, 3, 1)
    for side, channels, layers in DEEP_PLAIN:
        yield layers * (_conv((side, side, channels), channels, 3),)


def _block(shape: Shape, expanded: int, channels: int, window: int, stride: int) -> Chain:
    """Return an inverted residual block of a MobileNet."""
    first = _conv(shape, expanded)
    second = _depthwise(first.result, window, stride)
    third = _conv(second.result, channels)
    added = (_same("ADD", shape, prod(shape)),) if third.result == shape else ()
    return (first, second, third, *added)


def _excitation(shape: Shape) -> Chain:
    """Return a squeeze-and-excitation as MobileNetV3 has it."""
    vector = (1, 1, shape[2])
    squeezed = _conv(vector, _even(shape[2] / 4))
    return (
        _depthwise(shape, 5, 1),
        _same("HARD_SWISH", shape),
        Operator("MEAN", shape, vector),
        squeezed,
        _conv(squeezed.result, shape[2]),
        _same("MUL", vector, 1),
        Operator("MUL", shape, shape, operand=shape[2]),
    )


def _conv(shape: Shape, channels: int, window: int = 1, stride: int = 1) -> Operator:
    return Operator("CONV_2D", shape, (*_strided(shape, stride), channels), (window, window))


def _depthwise(shape: Shape, window: int, stride: int) -> Operator:
    return Operator("DEPTHWISE_CONV_2D", shape, (*_strided(shape, stride), shape[2]), (window, window))


def _pool(shape: Shape) -> Operator:
    return Operator("MAX_POOL_2D", shape, (*_strided(shape, 2), shape[2]), (2, 2))


def _dense(inputs: int, units: int) -> Operator:
    return Operator("FULLY_CONNECTED", (1, 1, inputs), (1, 1, units))


def _same(name: str, shape: Shape, operand: int = 0, kind: str = "INT8") -> Operator:
    return Operator(name, shape, shape, operand=operand, kind=kind)


def _strided(shape: Shape, stride: int) -> tuple[int, int]:
    return -(-shape[0] // stride), -(-shape[1] // stride)


def _even(channels: float) -> int:
    """Return the closest multiple of 8, for which kernels are made."""
    return max(8, 8 * round(channels / 8))


def _multiplications(operator: Operator) -> int:
    depth = operator.source[2] if operator.name == "CONV_2D" else 1
    return prod(operator.result) * prod(operator.kernel) * depth
