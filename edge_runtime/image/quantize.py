"""Convert between real numbers and quantized tensors: real = scale * (quantized - zero_point).

Source of the formula: https://ai.google.dev/edge/litert/models/quantization_spec
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import DTypeLike, NDArray

    from edge_runtime.image.preprocess import Pixels


def quantize(
    real: NDArray[np.floating[Any]], scale: float, zero_point: int, dtype: DTypeLike
) -> NDArray[np.integer[Any]]:
    """Quantize real numbers: round half to even, then clip to the type's range, then cast.

    Args:
        real: float array of any shape.
        scale: positive step between quantized values.
        zero_point: the quantized value of 0.0.
        dtype: an integer type, such as int8, uint8 or int16.

    Returns:
        An array of `real`'s shape with dtype `dtype`.

    """
    limits = np.iinfo(np.dtype(dtype))
    steps = np.rint(np.asarray(real, np.float64) / scale) + zero_point
    quantized: NDArray[np.integer[Any]] = np.clip(steps, limits.min, limits.max).astype(dtype)
    return quantized


def dequantize(quantized: NDArray[np.integer[Any]], scale: float, zero_point: int) -> NDArray[np.float32]:
    """Return the real numbers, float32, of quantized values; they are widened before the zero point is subtracted."""
    return ((quantized.astype(np.int32) - zero_point) * np.float32(scale)).astype(np.float32)


def quantize_pixels(pixels: Pixels, scale: float, zero_point: int, dtype: DTypeLike) -> NDArray[np.integer[Any]]:
    """Quantize uint8 pixels, whose real values are 0..255, for a model's input.

    With scale 1.0 no floating-point arithmetic is needed: uint8 is unchanged, and int8 is an offset by 128.
    """
    if scale == 1.0 and zero_point == 0 and np.dtype(dtype) == np.uint8:
        return pixels
    if scale == 1.0 and zero_point == -128 and np.dtype(dtype) == np.int8:
        return (pixels ^ np.uint8(0x80)).view(np.int8)
    return quantize(pixels.astype(np.float32), scale, zero_point, dtype)
