"""Choose the ranges of activations by the smallest squared error, instead of by the extremes.

A range from the smallest to the largest value of a tensor is decided by its rarest values. A narrower one clips them,
and rounds all the others less. The range with the smallest mean squared error of both on the calibration images is used
(Nagel et al., A White Paper on Neural Network Quantization, 2021, section 3.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.convert.float_tensors import inner_tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4)  # of the range from extreme to extreme
SAMPLES = 2048  # values of a tensor per image
STEPS = 255


def with_narrow_ranges(calibrated: bytes, content: bytes, pixels: Pixels) -> bytes:
    """Return a calibrated file with other ranges.

    Args:
        calibrated: the file with the range of each tensor, from the converter's calibration.
        content: the same file without ranges, which can be run.
        pixels: preprocessed calibration images, uint8 (N, height, width, 3).

    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(calibrated))
    graph = model.subgraphs[0]
    ends = {int(end) for end in (*graph.inputs, *graph.outputs)}
    measured = {
        index: tensor.quantization
        for index, tensor in enumerate(graph.tensors)
        if tensor.quantization is not None and tensor.quantization.min is not None and index not in ends
    }
    written = {int(end) for operator in graph.operators for end in operator.outputs}
    wanted = [index for index in measured if index in written]
    for index, values in _samples(content, wanted, pixels).items():
        low, high = best_range(values)
        measured[index].min, measured[index].max = [low], [high]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def best_range(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the range, which contains 0, in which values are rounded to 8 bits with the smallest squared error."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    errors = []
    for share in SHARES:
        step = max(high - low, 1e-12) * share / STEPS
        rounded = np.rint(np.clip(values, low * share, high * share) / step) * step
        errors.append(float(np.square(rounded - values).mean()))
    share = SHARES[int(np.argmin(errors))]
    return low * share, high * share


def _samples(content: bytes, tensors: list[int], pixels: Pixels) -> dict[int, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    found: dict[int, list[Any]] = {index: [] for index in tensors}
    for values in inner_tensors(content, tensors, pixels):
        for index, value in values.items():
            flat = value.ravel()
            chosen = flat if flat.size <= SAMPLES else rng.choice(flat, SAMPLES, replace=False)
            found[index].append(np.concatenate([chosen, [flat.min(), flat.max()]]))
    return {index: np.concatenate(parts) for index, parts in found.items() if parts}
