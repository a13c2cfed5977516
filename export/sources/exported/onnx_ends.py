"""Read an ONNX file: its input and output, its precision and the step that computes its output."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from export.errors import ExportError
from export.sources.exported.ends import LastStep, ModelEnds, StatedShape, count_units, read_input_shape
from export.sources.familiarity import FAMILIARITY_PROPERTY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Operators after the last step that change no value, or only its precision.
PASSING = {
    *("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast", "Dropout"),
    *("QuantizeLinear", "DequantizeLinear"),
}
LAST_STEPS: dict[str, LastStep] = {
    "Softmax": "softmax",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "sigmoid",
    # The logarithm of a softmax is a kind of logits: another softmax gives the probabilities.
    **dict.fromkeys(("Gemm", "MatMul", "Add", "Conv", "LogSoftmax", "GlobalAveragePool", "ReduceMean"), "linear"),
    **dict.fromkeys(("QLinearMatMul", "QGemm", "QLinearConv", "QLinearAdd", "MatMulNBits", "MatMulInteger"), "linear"),
    **dict.fromkeys(("Mul", "Div"), "scaled"),
}
INPUT_TYPES = ("float32", "float16", "float64", "uint8")
QUANTIZED_WEIGHTS = ("MatMulNBits", "MatMulInteger", "ConvInteger", "DynamicQuantizeLinear")


def load(path: Path) -> Any:  # noqa: ANN401 - an onnx proto
    """Load an ONNX file with the weights that it stores in other files. Raise ExportError if one cannot be read."""
    import onnx

    try:
        return onnx.load(path)
    except Exception as problem:  # noqa: BLE001 - protobuf and onnx raise their own exceptions and OSError
        reason = " ".join(str(problem).split())
        raise ExportError(f"{path}: not a readable .onnx file ({reason})") from None


def only_ends(model: Any, path: Path) -> tuple[Any, Any]:  # noqa: ANN401 - an onnx proto
    """Return the value of the input and of the output. Raise ExportError unless there is one of each."""
    constants = {item.name for item in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    outputs = model.graph.output
    if len(inputs) != 1 or len(outputs) != 1:
        raise ExportError(f"{path}: has {len(inputs)} inputs and {len(outputs)} outputs; a classifier has one each")
    return inputs[0], outputs[0]


def read_onnx(path: Path, stated: StatedShape) -> ModelEnds:
    """Read an ONNX file's input and output. Raise ExportError unless it is an image classifier with one of each."""
    model = load(path)
    taken, given = only_ends(model, path)
    input_type = _type_of(taken)
    if input_type not in INPUT_TYPES:
        raise ExportError(f"{path}: its input has the type {input_type}; it must be one of {', '.join(INPUT_TYPES)}")
    shape = read_input_shape(shape_of(taken), stated, path)
    ends = ModelEnds(
        shape.height,
        shape.width,
        0,
        shape.channels,
        shape.layout,
        len(taken.type.tensor_type.shape.dim),
        shape.batch,
        shape.resized,
        represented=(0.0, 255.0) if input_type == "uint8" else None,
        input_type=input_type,
    )
    given_shape = shape_of(given)
    if not given_shape or -1 in given_shape[1:]:
        given_shape = _inferred(model, ends, path)
    properties = {item.key: item.value for item in model.metadata_props}
    familiarity = properties.get(FAMILIARITY_PROPERTY)
    return replace(
        ends,
        units=count_units(given_shape, path),
        output_shape=given_shape,
        last=_last_step(model.graph, given.name),
        precision=_precision(model.graph),
        min_familiarity=None if familiarity is None else float(familiarity),
    )


def shape_of(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - an onnx proto
    """Return a value's shape, with -1 for a dimension that has a name or nothing at all; () if it is unknown."""
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else -1 for dim in dims)


def set_shape(value: Any, shape: tuple[int | str, ...]) -> None:  # noqa: ANN401 - an onnx proto
    """Replace a value's shape; a text is the name of a dimension that is not fixed."""
    tensor = value.type.tensor_type
    tensor.ClearField("shape")
    for side in shape:
        dim = tensor.shape.dim.add()
        if isinstance(side, str):
            dim.dim_param = side
        else:
            dim.dim_value = side


def _type_of(value: Any) -> str:  # noqa: ANN401 - an onnx proto
    import onnx

    name: str = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _inferred(model: Any, ends: ModelEnds, path: Path) -> tuple[int, ...]:  # noqa: ANN401 - an onnx proto
    """Return the output's shape for the input's shape, which the file does not state."""
    import onnx

    taken, given = only_ends(model, path)
    set_shape(taken, ends.input_shape)
    given.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as problem:  # noqa: BLE001 - it raises InferenceError and ValueError, which share no base class
        raise ExportError(f"{path}: its shapes cannot be inferred ({problem}); export it with fixed shapes") from None
    return shape_of(only_ends(inferred, path)[1])


def _last_step(graph: Any, name: str) -> LastStep:  # noqa: ANN401 - an onnx proto
    makers = {output: node for node in graph.node for output in node.output}
    while name in makers and makers[name].op_type in PASSING:
        name = makers[name].input[0]
    return LAST_STEPS.get(makers[name].op_type, "other") if name in makers else "other"


def _precision(graph: Any) -> str:  # noqa: ANN401 - an onnx proto
    """Return the least exact form in which the graph computes or stores numbers."""
    from onnx import TensorProto

    kinds, half = set(), any(value.type.tensor_type.elem_type == TensorProto.FLOAT16 for value in graph.input)
    for inner in _graphs(graph):
        weights = {item.name: item.data_type for item in inner.initializer}
        constants = {name for node in inner.node if node.op_type == "Constant" for name in node.output}
        half = half or bool({TensorProto.FLOAT16, TensorProto.BFLOAT16} & set(weights.values()))
        for node in inner.node:
            if node.op_type == "QuantizeLinear" and node.input[0] not in {*weights, *constants}:
                sixteen = len(node.input) > 2 and weights.get(node.input[2]) in {TensorProto.INT16, TensorProto.UINT16}
                kinds.add("int16x8" if sixteen else "int8")
            elif node.op_type.startswith(("QLinear", "QGemm")):
                kinds.add("int8")
            elif node.op_type in {*QUANTIZED_WEIGHTS, "DequantizeLinear"}:
                kinds.add("dynamic")
            elif node.op_type in {"Cast", "Constant"}:
                half = half or any(TensorProto.FLOAT16 in {item.i, item.t.data_type} for item in node.attribute)
    return next((name for name in ("int8", "int16x8", "dynamic") if name in kinds), "float16" if half else "float32")


def _graphs(graph: Any) -> Iterator[Any]:  # noqa: ANN401 - an onnx proto
    """Yield a graph and all graphs inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)
