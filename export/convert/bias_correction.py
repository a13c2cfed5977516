"""Correct the biases of an int8 TFLite file, so that rounding does not shift the means of its channels.

Rounded weights and activations shift the mean of a layer's outputs, and the shifts of many layers add up. Each bias is
an integer that can take up the shift of its channel without any cost (bias correction: Nagel et al., Data-Free
Quantization through Weight Equalization and Bias Correction, ICCV 2019, section 4.2). For a layer with weights W,
rounded to W', and inputs x, rounded to x', the shift is W' E[x'] - W E[x]; the means are those of the calibration
images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.image.quantize import dequantize, quantize
from export.convert.float_tensors import inner_tensors
from export.convert.tflite_operators import constant, operator_name, store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

LAYERS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}


def bias_corrected(int8: bytes, content: bytes, pixels: Pixels) -> bytes:
    """Return an int8 file with corrected biases.

    Args:
        int8: the quantized file.
        content: the float32 file of the same network.
        pixels: preprocessed calibration images, uint8 (N, height, width, 3).

    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(int8))
    exact = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    layers = list(_layers(model, exact))
    scales = {int(there.inputs[0]): _scale(model, int(here.inputs[0])) for here, there in layers}
    means = _means(content, scales, pixels)
    for here, there in layers:
        plain, rounded = means[int(there.inputs[0])]
        name = operator_name(model, here)
        shift = _outputs(_real(model, int(here.inputs[1])), rounded, name)
        shift -= _outputs(constant(exact, int(there.inputs[1])), plain, name)
        _correct(model, int(here.inputs[2]), shift)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _layers(model: Any, exact: Any) -> Iterable[tuple[Any, Any]]:  # noqa: ANN401 - generated classes
    """Yield each layer with a bias of the int8 file, and the same layer of the float file."""
    from ai_edge_litert import schema_py_generated as schema

    tensors, floats = model.subgraphs[0].tensors, exact.subgraphs[0].tensors
    there = {floats[operator.outputs[0]].name: operator for operator in exact.subgraphs[0].operators}
    for operator in model.subgraphs[0].operators:
        same = there.get(tensors[operator.outputs[0]].name)
        if same is None or operator_name(model, operator) not in LAYERS or len(operator.inputs) < 3:
            continue
        given, weights, bias = (int(index) for index in operator.inputs[:3])
        wanted = {given: schema.TensorType.INT8, weights: schema.TensorType.INT8, bias: schema.TensorType.INT32}
        if bias >= 0 and all(tensors[index].type == kind for index, kind in wanted.items()):
            yield operator, same


def _scale(model: Any, tensor: int) -> tuple[float, int]:  # noqa: ANN401 - the same
    quantization = model.subgraphs[0].tensors[tensor].quantization
    return float(quantization.scale[0]), int(quantization.zeroPoint[0])


def _means(
    content: bytes, scales: dict[int, tuple[float, int]], pixels: Pixels
) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the mean of each channel of tensors of the float file, and the same after rounding to int8."""
    found: dict[int, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {index: [] for index in scales}
    for values in inner_tensors(content, list(scales), pixels):
        for index, value in values.items():
            real = value.astype(np.float64)
            rounded = dequantize(quantize(real, *scales[index], np.int8), *scales[index])
            axes = tuple(range(real.ndim - 1))
            found[index].append((real.mean(axis=axes), rounded.mean(axis=axes, dtype=np.float64)))
    return {
        index: (np.mean([a for a, _ in items], axis=0), np.mean([b for _, b in items], axis=0))
        for index, items in found.items()
    }


def _real(model: Any, tensor: int) -> NDArray[np.float64]:  # noqa: ANN401 - the same
    """Return the real values of int8 weights, which have one scale, or one for each channel of an axis."""
    item = model.subgraphs[0].tensors[tensor]
    scale = np.asarray(item.quantization.scale, np.float64)
    shape = [1] * len(item.shape)
    if len(scale) > 1:
        shape[item.quantization.quantizedDimension] = len(scale)
    return constant(model, tensor) * scale.reshape(shape)


def _outputs(weights: NDArray[np.float64], means: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return a layer's mean outputs, without bias, for the means of its input channels."""
    if name == "DEPTHWISE_CONV_2D":
        depthwise: NDArray[np.float64] = weights.sum(axis=(0, 1, 2)) * np.repeat(means, weights.shape[-1] // len(means))
        return depthwise
    summed: NDArray[np.float64] = weights.sum(axis=tuple(range(1, weights.ndim - 1))) @ means
    return summed


def _correct(model: Any, bias: int, shift: NDArray[np.float64]) -> None:  # noqa: ANN401 - the same
    scale = np.asarray(model.subgraphs[0].tensors[bias].quantization.scale, np.float64)
    limits = np.iinfo(np.int32)
    corrected = constant(model, bias) - shift / np.maximum(scale, 1e-30)
    store(model, bias, np.clip(np.rint(corrected), limits.min, limits.max))
