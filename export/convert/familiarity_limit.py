"""Move the limit of the familiarity in a quantized file to where its own features place it.

The familiarity compares a share, 0..1, with an offset that the trainer has chosen for exact features. Rounded
activations are noise that lies mostly outside the subspace of the training features, so that all shares become smaller:
a fine-tuned MobileNetV2 recognized 87% of new photographs in int8 instead of 96%. The offset of the file becomes the
share that it computes for an image whose exact share is the offset.

That is measured on photographs that the subspace was not fitted to. The training photographs do not serve: they lie
deeper in it, so that rounding changes their shares more. With a random backbone and 57 training photographs, a file
with their offset accepted 81% of other images instead of 70%.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.image.quantize import quantize
from export.convert.tflite_operators import constant, store
from export.significance import SIGNIFICANCE, mcnemar_p
from export.sources.familiarity import LAYER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

# The operations of `export.sources.familiarity.times_familiarity`, by the converters' names.
SHARE, DIFFERENCE = "truediv", "sub"
ENOUGH = 50  # images; with fewer, only the mean of the shares is known well enough, not their spread


def moved_offset(offset: float, exact: NDArray[np.floating[Any]], rounded: NDArray[np.floating[Any]]) -> float:
    """Return the share that a quantized file computes for an image whose exact share is the offset.

    It is the offset itself unless the file recognizes more or fewer of the images than the exact one, beyond chance: a
    move that is estimated from few images would cost more than it gains.

    The shares are moved and stretched by the straight line that gives them the mean and the standard deviation of the
    rounded ones, so that the same fraction stays above the offset; a regression would be too flat, because both shares
    vary at random. Beyond the images, the line is not used.

    Args:
        offset: of the float file.
        exact: shares that the float file computes for images, shape (N,).
        rounded: those of the quantized file for the same images, shape (N,).

    """
    lost = int(np.sum((exact >= offset) & (rounded < offset)))
    gained = int(np.sum((exact < offset) & (rounded >= offset)))
    if min(mcnemar_p(lost, gained), mcnemar_p(gained, lost)) >= SIGNIFICANCE:
        return offset
    middle, spread = float(np.mean(exact)), float(np.std(exact))
    is_known = len(exact) >= ENOUGH and spread > np.finfo(np.float32).eps
    stretch = float(np.std(rounded)) / spread if is_known else 1.0
    nearest = float(np.clip(offset, np.min(exact), np.max(exact)))
    return offset + float(np.mean(rounded)) - middle + (stretch - 1) * (nearest - middle)


def with_own_limit(quantized: bytes, exact: bytes, pixels: Pixels) -> bytes:
    """Return a quantized TFLite file with its own offset.

    Args:
        quantized: the file.
        exact: the float32 file of the same network.
        pixels: preprocessed photographs of the classes, uint8 (N, height, width, 3).

    """
    from ai_edge_litert.tools import flatbuffer_utils

    shares = [_tflite_shares(content, pixels) for content in (exact, quantized)]
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(quantized))
    share = _tensor(model, SHARE)
    offset = next(
        int(operator.inputs[1])
        for operator in model.subgraphs[0].operators
        if int(operator.inputs[0]) == share and _is_of(model.subgraphs[0].tensors[operator.outputs[0]], DIFFERENCE)
    )
    moved = moved_offset(float(constant(model, offset).item()), *shares)
    store(model, offset, np.full(constant(model, offset).shape, moved))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def set_own_limit(quantized: Path, exact: Path, pixels: Pixels) -> None:
    """Change the offset of a quantized ONNX file; the arguments are those of `with_own_limit`, as paths."""
    import onnx
    from onnx import numpy_helper

    shares = [_onnx_shares(path, pixels) for path in (exact, quantized)]
    model = onnx.load(quantized)
    share = _node(model, SHARE).output[0]
    (name,) = (one for one in _node(model, DIFFERENCE).input if one != share)
    weight = next(item for item in model.graph.initializer if item.name == name)
    offset = numpy_helper.to_array(weight)
    moved = np.full_like(offset, moved_offset(float(offset.item()), *shares))
    weight.CopyFrom(numpy_helper.from_array(moved, name))
    onnx.save(model, quantized)


def _tflite_shares(content: bytes, pixels: Pixels) -> NDArray[np.float32]:
    """Return the share of each image, shape (N,), from a file to which the share is added as an output."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.tools import flatbuffer_utils

    from edge_runtime.backends.quiet import without_info_lines

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    share = _tensor(model, SHARE)
    model.subgraphs[0].outputs = [*model.subgraphs[0].outputs, share]
    model.signatureDefs = []  # they name the outputs that were there before
    with without_info_lines():
        interpreter = Interpreter(model_content=bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
        interpreter.allocate_tensors()
    (taken,) = interpreter.get_input_details()
    scale, zero_point = taken["quantization"]
    found = []
    for image in pixels:
        value = image[np.newaxis].astype(np.float32)
        if taken["dtype"] != np.float32:
            value = quantize(value, scale, zero_point, taken["dtype"])
        interpreter.set_tensor(taken["index"], value)
        interpreter.invoke()
        found.append(interpreter.get_tensor(share).item())
    return np.array(found, np.float32)


def _onnx_shares(path: Path, pixels: Pixels) -> NDArray[np.float32]:
    import onnx
    import onnxruntime

    model = onnx.load(path)
    share = _node(model, SHARE).output[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info(share, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    found = [session.run([share], {name: image[np.newaxis].astype(np.float32)})[0].item() for image in pixels]
    return np.array(found, np.float32)


def _tensor(model: Any, operation: str) -> int:  # noqa: ANN401 - generated classes
    return next(index for index, tensor in enumerate(model.subgraphs[0].tensors) if _is_of(tensor, operation))


def _is_of(tensor: Any, operation: str) -> bool:  # noqa: ANN401 - the same
    """Return whether a tensor is the result of an operation of the familiarity."""
    parts: Sequence[str] = tensor.name.decode().split("/")
    return parts[-1] == operation and any(LAYER in part for part in parts)


def _node(model: Any, operation: str) -> Any:  # noqa: ANN401 - an onnx proto
    return next(node for node in model.graph.node if LAYER in node.name and node.name.split("/")[-1] == operation)
