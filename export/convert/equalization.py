"""Equalize the ranges of the channels of a float TFLite file before it is quantized; the file computes the same.

An activation tensor has one scale for all of its channels, so a channel with small values loses its signal next to one
with large values. Between two convolutions, channel c of the first can be divided by s_c and the weights of the second
that read it multiplied by s_c, which changes no result, because ReLU(x / s) = ReLU(x) / s (cross-layer equalization:
Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, ICCV 2019, section 4.1). Weights
have a scale per channel here, so the ranges of activations on the calibration images replace those of the first
weights. ReLU6 is no such function; its range is bounded anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from export.convert.float_tensors import channel_maxima
from export.convert.tflite_operators import constant, operator_name, store
from export.errors import ExportError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

SMALLEST = 1e-3  # no channel is scaled by more: a channel without any signal needs none


@dataclass(frozen=True)
class Pair:
    """Two convolutions, of which the second is the only reader of the first.

    Attributes:
        first: index of the operator that writes the tensor.
        second: index of the operator that reads it, perhaps through operators that keep its channels.
        tensor: index of the tensor that the first one writes.

    """

    first: int
    second: int
    tensor: int


def equalized(content: bytes, pixels: Pixels) -> bytes:
    """Return a float32 TFLite file with equalized channels.

    Args:
        content: the file, with float32 input and output.
        pixels: preprocessed calibration images, uint8 (N, height, width, 3).

    Raises:
        ExportError: it has no pair of convolutions for it.

    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    pairs = find_pairs(model)
    if not pairs:
        raise ExportError("no convolutions follow each other with only a ReLU between them")
    largest = channel_maxima(content, [pair.tensor for pair in pairs], pixels)
    for pair in pairs:
        _scale(model, pair, _factors(model, pair, largest[pair.tensor]))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def find_pairs(model: Any) -> list[Pair]:  # noqa: ANN401 - generated classes
    """Return the pairs of convolutions, in the order of the graph."""
    graph = model.subgraphs[0]
    readers: dict[int, list[int]] = {}
    for index, operator in enumerate(graph.operators):
        for tensor in operator.inputs:
            readers.setdefault(int(tensor), []).append(index)
    found = []
    for index, operator in enumerate(graph.operators):
        if operator_name(model, operator) not in {"CONV_2D", "DEPTHWISE_CONV_2D"}:
            continue
        second = _reader(model, readers, int(operator.outputs[0]))
        if second is not None and _activation(operator) in {"NONE", "RELU"}:
            found.append(Pair(index, second, int(operator.outputs[0])))
    return found


def _reader(model: Any, readers: dict[int, list[int]], tensor: int) -> int | None:  # noqa: ANN401 - the same
    """Return the only convolution or dense layer that reads a tensor, perhaps padded or averaged, or None."""
    graph = model.subgraphs[0]
    while tensor not in {int(end) for end in graph.outputs} and len(readers.get(tensor, ())) == 1:
        (index,) = readers[tensor]
        operator = graph.operators[index]
        name = operator_name(model, operator)
        if name in {"CONV_2D", "DEPTHWISE_CONV_2D"} or (name == "FULLY_CONNECTED" and _is_flat(graph, operator)):
            return index if int(operator.inputs[0]) == tensor else None
        keeps = name == "PAD" or (name == "MEAN" and _is_flat(graph, operator, output=True))
        keeps |= name in {"AVERAGE_POOL_2D", "MAX_POOL_2D"} and _activation(operator) in {"NONE", "RELU"}
        if not keeps:
            return None
        tensor = int(operator.outputs[0])
    return None


def _is_flat(graph: Any, operator: Any, *, output: bool = False) -> bool:  # noqa: ANN401 - the same
    end = operator.outputs[0] if output else operator.inputs[0]
    return len(graph.tensors[end].shape) == len(("N", "channels"))


def _activation(operator: Any) -> str:  # noqa: ANN401 - the same
    from ai_edge_litert import schema_py_generated as schema

    kinds = {getattr(schema.ActivationFunctionType, name): name for name in ("NONE", "RELU")}
    return kinds.get(operator.builtinOptions.fusedActivationFunction, "")


def _factors(model: Any, pair: Pair, largest: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ANN401 - the same
    """Return the number by which each channel is divided.

    If the second operator is depthwise, each of its channels has a scale of its own, so all channels may get the same
    range. Otherwise the weights that read a channel take up what it loses, so the ratio is shared: the square root.
    """
    graph = model.subgraphs[0]
    second = graph.operators[pair.second]
    wanted = np.maximum(largest / max(float(largest.max()), 1e-12), SMALLEST)
    if operator_name(model, second) != "DEPTHWISE_CONV_2D":
        weights = np.abs(constant(model, int(second.inputs[1])))
        read = weights.max(axis=tuple(range(weights.ndim - 1)))
        wanted = np.sqrt(wanted / np.maximum(read / max(float(read.max()), 1e-12), SMALLEST))
        wanted /= max(float(wanted.max()), 1e-12)
    return np.clip(wanted, SMALLEST, None)


def _scale(model: Any, pair: Pair, factors: NDArray[np.float64]) -> None:  # noqa: ANN401 - the same
    graph = model.subgraphs[0]
    first, second = graph.operators[pair.first], graph.operators[pair.second]
    weights = constant(model, int(first.inputs[1]))
    depthwise = operator_name(model, first) == "DEPTHWISE_CONV_2D"
    store(model, int(first.inputs[1]), weights / (factors if depthwise else factors.reshape(-1, 1, 1, 1)))
    if len(first.inputs) > 2 and first.inputs[2] >= 0:
        store(model, int(first.inputs[2]), constant(model, int(first.inputs[2])) / factors)
    weights = constant(model, int(second.inputs[1]))
    if operator_name(model, second) == "DEPTHWISE_CONV_2D":
        factors = np.repeat(factors, weights.shape[-1] // len(factors))
    store(model, int(second.inputs[1]), weights * factors)
