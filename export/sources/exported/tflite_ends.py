"""Read a TFLite file: its input and output, its precision and the step that computes its output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.sources.exported.ends import LastStep, ModelEnds, StatedShape, count_units, read_input_shape
from export.sources.familiarity import FAMILIARITY_BUFFER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Operators that change no value, or only its precision.
PASSING = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "CAST", "QUANTIZE", "DEQUANTIZE")
LAST_STEPS: dict[str, LastStep] = {
    "SOFTMAX": "softmax",
    "LOGISTIC": "sigmoid",
    # The logarithm of a softmax is a kind of logits: another softmax gives the probabilities.
    **dict.fromkeys(("FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL", "ADD", "MEAN", "AVERAGE_POOL_2D"), "linear"),
    "LOG_SOFTMAX": "linear",
    **dict.fromkeys(("MUL", "DIV"), "scaled"),
}
INPUT_TYPES = ("float32", "uint8", "int8", "int16")
EIGHT_BITS, SIXTEEN_BITS, SMALL_TYPES = ("INT8", "UINT8"), ("INT16",), ("INT8", "UINT8", "INT4")


def load(path: Path) -> Any:  # noqa: ANN401 - generated classes
    """Load a TFLite file as objects. Raise ExportError if it cannot be parsed."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    try:
        content = bytearray(path.read_bytes())
        is_tflite = schema.Model.ModelBufferHasIdentifier(content, 0)
        model = flatbuffer_utils.convert_bytearray_to_object(content) if is_tflite else None
    except Exception as problem:  # noqa: BLE001 - flatbuffers raises struct.error, IndexError and others
        raise ExportError(f"{path}: not a readable .tflite file ({problem})") from None
    if model is None:
        raise ExportError(f"{path}: not a readable .tflite file (it has no identifier TFL3)")
    return model


def read_tflite(path: Path, stated: StatedShape) -> ModelEnds:
    """Read a TFLite file's input and output. Raise ExportError unless it is an image classifier with one of each."""
    model = load(path)
    try:
        return _read(model, path, stated)
    except ExportError:
        raise
    except Exception as problem:  # noqa: BLE001 - whatever damaged references cause
        raise ExportError(f"{path}: not a readable .tflite file ({problem})") from None


def _read(model: Any, path: Path, stated: StatedShape) -> ModelEnds:  # noqa: ANN401 - generated classes
    graph = model.subgraphs[0]
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ExportError(
            f"{path}: has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; a classifier has one each"
        )
    taken, given = (graph.tensors[end[0]] for end in (graph.inputs, graph.outputs))
    input_type = type_name(taken).lower()
    if input_type not in INPUT_TYPES:
        raise ExportError(f"{path}: its input has the type {input_type}; it must be one of {', '.join(INPUT_TYPES)}")
    taken_shape, given_shape = shape_of(taken), shape_of(given)
    shape = read_input_shape(taken_shape, stated, path)
    familiarity = _attached(model, FAMILIARITY_BUFFER)
    return ModelEnds(
        height=shape.height,
        width=shape.width,
        units=count_units(given_shape, path),
        channels=shape.channels,
        layout=shape.layout,
        rank=len(taken_shape),
        batch=shape.batch,
        resized=shape.resized,
        represented=_represented(taken, input_type),
        input_type=input_type,
        output_shape=given_shape,
        last=_last_step(model, graph),
        precision=_precision(model),
        min_familiarity=None if familiarity is None else float(familiarity.decode()),
    )


def shape_of(tensor: Any) -> tuple[int, ...]:  # noqa: ANN401 - generated classes
    """Return a tensor's shape, with -1 for a dynamic dimension, for which `shape` only has a placeholder of 1."""
    signature = tensor.shapeSignature
    shape = tensor.shape if signature is None or not len(signature) else signature
    return tuple(int(side) for side in (() if shape is None else shape))


def type_name(tensor: Any) -> str:  # noqa: ANN401 - generated classes
    """Return the name of a tensor's type, such as "FLOAT32"."""
    from ai_edge_litert import schema_py_generated as schema

    names: dict[int, str] = {value: name for name, value in vars(schema.TensorType).items() if type(value) is int}
    return names[tensor.type]


def operator_name(model: Any, operator: Any) -> str:  # noqa: ANN401 - generated classes
    """Return the name of an operator, such as "CONV_2D"."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    code = flatbuffer_utils.get_builtin_code_from_operator_code(model.operatorCodes[operator.opcodeIndex])
    names: dict[int, str] = {value: name for name, value in vars(schema.BuiltinOperator).items() if type(value) is int}
    return names.get(code, "UNKNOWN")


def is_quantized(tensor: Any) -> bool:  # noqa: ANN401 - generated classes
    """Return whether a tensor has a scale other than 0."""
    quantization = tensor.quantization
    return quantization is not None and quantization.scale is not None and bool(np.any(quantization.scale))


def _represented(tensor: Any, name: str) -> tuple[float, float] | None:  # noqa: ANN401 - generated classes
    """Return the real values of the lowest and the highest value of an integer input; None for a float input."""
    if name == "float32":
        return None
    limits = np.iinfo(name)
    if not is_quantized(tensor):  # plain numbers
        return float(limits.min), float(limits.max)
    scale, zero_point = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
    return (limits.min - zero_point) * scale, (limits.max - zero_point) * scale


def _attached(model: Any, name: bytes) -> bytes | None:  # noqa: ANN401 - generated classes
    buffers = {entry.name: model.buffers[entry.buffer].data for entry in model.metadata or []}
    return None if buffers.get(name) is None else bytes(buffers[name])


def _last_step(model: Any, graph: Any) -> LastStep:  # noqa: ANN401 - generated classes
    makers = {int(output): operator for operator in graph.operators for output in operator.outputs}
    at = int(graph.outputs[0])
    while at in makers and operator_name(model, makers[at]) in PASSING:
        at = int(makers[at].inputs[0])
    if at not in makers or _has_activation(makers[at]):
        return "other"
    return LAST_STEPS.get(operator_name(model, makers[at]), "other")


def _has_activation(operator: Any) -> bool:  # noqa: ANN401 - generated classes
    """Return whether an activation such as ReLU is fused into an operator."""
    return bool(vars(operator.builtinOptions or object).get("fusedActivationFunction"))


def _precision(model: Any) -> str:  # noqa: ANN401 - generated classes
    """Return the least exact form in which the graph computes or stores numbers."""
    found = {kind for graph in model.subgraphs for kind in _kinds(model, graph)}
    return next((name for name in ("int8", "int16x8", "dynamic", "float16") if name in found), "float32")


def _kinds(model: Any, graph: Any) -> Iterator[str]:  # noqa: ANN401 - generated classes
    """Yield the precision of each operator that is not exact."""

    def has_content(at: int) -> bool:
        data = model.buffers[graph.tensors[at].buffer].data
        return data is not None and len(data) > 0

    for operator in graph.operators or []:
        name = operator_name(model, operator)
        constants = [graph.tensors[at] for at in operator.inputs if at >= 0 and has_content(at)]
        small = [tensor for tensor in constants if is_quantized(tensor) and type_name(tensor) in SMALL_TYPES]
        if any(type_name(tensor) == "FLOAT16" for tensor in constants):
            yield "float16"
        if small and (name == "DEQUANTIZE" or type_name(graph.tensors[operator.outputs[0]]) == "FLOAT32"):
            yield "dynamic"
        if name in PASSING:
            continue
        outputs = [graph.tensors[at] for at in operator.outputs if is_quantized(graph.tensors[at])]
        if any(type_name(tensor) in EIGHT_BITS for tensor in outputs):
            yield "int8"
        if any(type_name(tensor) in SIXTEEN_BITS for tensor in outputs):
            yield "int16x8"
