"""Find the layers that lose most in int8: the fraction of each tensor's signal that its quantization alone destroys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.image.quantize import dequantize, quantize

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

IMAGES = 16  # enough for a mean over their many positions
SMALLEST_POWER = 1e-12


@dataclass(frozen=True)
class LayerLoss:
    """A layer's output tensor and its loss by quantization.

    Attributes:
        layer: a short form of the layer's name in the model.
        tensor: the tensor's complete name in the file.
        readers: complete names of the output tensors of the layers that read it.
        operation: such as "CONV_2D".
        signal_lost: mean over the channels of min(1, noise power / signal power), 0..1, where the noise is the effect
            of rounding the float file's values to the int8 file's scale. All channels have the same weight; with the
            power of the whole tensor, a channel that loses its signal because of another's large scale would not be
            visible.

    """

    layer: str
    tensor: str
    readers: tuple[str, ...]
    operation: str
    signal_lost: float


def layer_losses(float_file: Path, int8_file: Path, pixels: Pixels) -> list[LayerLoss]:
    """Compare a float32 and an int8 TFLite file of one model, tensor by tensor.

    Args:
        float_file: the float32 file.
        int8_file: the int8 file.
        pixels: preprocessed images, uint8 (N, height, width, 3).

    Returns:
        One entry for each tensor that both files contain, in descending order of the loss.

    """
    exact = _interpreter(float_file)
    scales = _quantization(_interpreter(int8_file))
    details = {item["index"]: item for item in exact.get_tensor_details()}
    written = _written(exact, details)
    chosen = {index: scales[name] for index, name in written.items() if name in scales}
    losses = _losses(exact, chosen, pixels)
    operations = exact._get_ops_details()  # noqa: SLF001 - the one list of operations that Python gets
    found = []
    for index, loss in losses.items():
        (operation,) = (item for item in operations if index in item["outputs"])
        readers = [item for item in operations if index in item["inputs"]]
        names = tuple(details[item["outputs"][0]]["name"] for item in readers)
        name = written[index]
        found.append(LayerLoss(_short(name), name, names, operation["op_name"], loss))
    return sorted(found, key=lambda item: -item.signal_lost)


def _interpreter(path: Path) -> Any:  # noqa: ANN401 - LiteRT is not typed
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from edge_runtime.backends.quiet import without_info_lines

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # a delegate would not keep the intermediate tensors
    with without_info_lines():
        interpreter = Interpreter(
            model_path=str(path), experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True
        )
        interpreter.allocate_tensors()
    return interpreter


def _quantization(interpreter: Any) -> dict[str, tuple[float, int]]:  # noqa: ANN401 - LiteRT is not typed
    return {item["name"]: item["quantization"] for item in interpreter.get_tensor_details() if item["dtype"] == np.int8}


def _written(interpreter: Any, details: dict[int, dict[str, Any]]) -> dict[int, str]:  # noqa: ANN401 - the same
    operations = interpreter._get_ops_details()  # noqa: SLF001 - the same
    return {index: details[index]["name"] for item in operations for index in item["outputs"]}


def _losses(interpreter: Any, scales: dict[int, tuple[float, int]], pixels: Pixels) -> dict[int, float]:  # noqa: ANN401
    """Run the float file and round each of its tensors to the int8 file's scale."""
    noise: dict[int, NDArray[np.float64]] = {}
    power: dict[int, NDArray[np.float64]] = {}
    (taken,) = interpreter.get_input_details()
    for image in pixels[:IMAGES]:
        interpreter.set_tensor(taken["index"], image[np.newaxis].astype(np.float32))
        interpreter.invoke()
        for index, (scale, zero_point) in scales.items():
            real = interpreter.get_tensor(index).astype(np.float64)
            rounded = dequantize(quantize(real, scale, zero_point, np.int8), scale, zero_point)
            axes = tuple(range(real.ndim - 1))
            noise[index] = noise.get(index, 0.0) + np.square(real - rounded).sum(axis=axes)
            power[index] = power.get(index, 0.0) + np.square(real).sum(axis=axes)
    return {index: _share(noise[index], power[index]) for index in noise}


def _share(noise: NDArray[np.float64], power: NDArray[np.float64]) -> float:
    """Return the mean of the lost fraction over the channels that have a signal."""
    alive = power > SMALLEST_POWER
    return float(np.minimum(1.0, noise[alive] / power[alive]).mean()) if alive.any() else 0.0


def _short(tensor: str) -> str:
    """Return the part of a converter's name that identifies the layer.

    Of `a/b/conv_1/Relu;a/b/bn/add` it is `b/conv_1`.
    """
    parts = tensor.split(";", maxsplit=1)[0].split("/")
    named = parts[:-1] or parts
    return "/".join(named[-2:])
