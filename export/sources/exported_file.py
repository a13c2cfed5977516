"""Read the input and output of an exported file, and add the scaling of pixels to its graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.sources.familiarity import FAMILIARITY_BUFFER, FAMILIARITY_PROPERTY
from export.sources.keras_model import RESCALING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from export.sources.keras_model import InputRange


@dataclass(frozen=True)
class ModelEnds:
    """A classifier file's input and output.

    Attributes:
        height: of the input.
        width: of the input.
        units: of the output.
        quantized: whether the input is quantized; its scale then states its range.
        min_familiarity: the spec's value that an Edgewise file contains; None if the file computes no familiarity.

    """

    height: int
    width: int
    units: int
    quantized: bool
    min_familiarity: float | None = None

    @property
    def classes(self) -> int:
        """Return the number of labels; a single probability has two."""
        return max(2, self.units)


def read_ends(path: Path) -> ModelEnds:
    """Read a file's input and output. Raise ExportError unless it is an RGB image classifier with one of each."""
    try:
        taken, given, quantized, stated = _of_onnx(path) if path.suffix == ".onnx" else _of_tflite(path)
        familiarity = None if stated is None else float(stated)
    except ExportError:
        raise
    except Exception as problem:  # noqa: BLE001 - flatbuffers raises struct.error and IndexError, protobuf its own
        raise ExportError(f"{path}: not a readable {path.suffix} file ({problem})") from None
    if len(taken) != 4 or taken[3] != 3 or not all(isinstance(side, int) and side > 0 for side in taken[1:]):
        raise ExportError(
            f"{path}: its input has shape {tuple(taken)}; it must be RGB images of a fixed size, (N, height, width, 3)"
        )
    if len(given) != 2 or not isinstance(given[1], int):
        raise ExportError(
            f"{path}: its output has shape {tuple(given)}; a classifier has one score per class (a segmentation model?)"
        )
    return ModelEnds(taken[1], taken[2], given[1], quantized, familiarity)


def with_pixel_input(path: Path, ends: ModelEnds, input_range: InputRange | None) -> bytes:
    """Return a file's content, with the scaling of pixels in the graph if its input has another range than 0..255.

    Raise ExportError if the range of a float input is not given.
    """
    content = path.read_bytes()
    if ends.quantized:  # its scale and zero point state the range, and the backend uses them
        return content
    if input_range is None:
        raise ExportError(f"{path}: the range of its float input is unknown; pass --input-range=-1..1, 0..1 or 0..255")
    if input_range == "0..255":
        return content
    scale, offset = RESCALING[input_range]
    return (
        _rescaled_onnx(content, scale, offset) if path.suffix == ".onnx" else _rescaled_tflite(content, scale, offset)
    )


def _one(path: Path, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Any, Any]:
    if len(inputs) != 1 or len(outputs) != 1:
        raise ExportError(f"{path}: has {len(inputs)} inputs and {len(outputs)} outputs; a classifier has one each")
    return inputs[0], outputs[0]


def _of_onnx(path: Path) -> tuple[list[Any], list[Any], bool, str | None]:
    import onnx

    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    constants = {item.name for item in graph.initializer}
    taken, given = _one(path, [value for value in graph.input if value.name not in constants], graph.output)
    shapes = [[dim.dim_value or dim.dim_param for dim in end.type.tensor_type.shape.dim] for end in (taken, given)]
    properties = {item.key: item.value for item in model.metadata_props}
    return shapes[0], shapes[1], False, properties.get(FAMILIARITY_PROPERTY)


def _of_tflite(path: Path) -> tuple[list[Any], list[Any], bool, str | None]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    graph = model.subgraphs[0]
    taken, given = _one(path, graph.inputs, graph.outputs)
    shapes = [_tflite_shape(graph.tensors[end]) for end in (taken, given)]
    buffers = {entry.name: model.buffers[entry.buffer].data for entry in model.metadata or []}
    stated = buffers.get(FAMILIARITY_BUFFER)
    text = None if stated is None else bytes(stated).decode()
    return shapes[0], shapes[1], graph.tensors[taken].type != schema.TensorType.FLOAT32, text


def _tflite_shape(tensor: Any) -> list[int]:  # noqa: ANN401 - generated classes
    """Return a tensor's shape, with -1 for a dynamic dimension, for which `shape` only has a placeholder of 1."""
    signature = tensor.shapeSignature
    return [int(side) for side in (tensor.shape if signature is None else signature)]


def _rescaled_onnx(content: bytes, scale: float, offset: float) -> bytes:
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(content)
    graph = model.graph
    constants = {item.name for item in graph.initializer}
    name = next(value.name for value in graph.input if value.name not in constants)
    for node in graph.node:
        node.input[:] = ["pixels_scaled" if item == name else item for item in node.input]
    for constant, value in (("pixels_factor", scale), ("pixels_offset", offset)):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), constant))
    graph.node.insert(0, helper.make_node("Add", ["pixels_product", "pixels_offset"], ["pixels_scaled"]))
    graph.node.insert(0, helper.make_node("Mul", [name, "pixels_factor"], ["pixels_product"]))
    return bytes(model.SerializeToString())


def _rescaled_tflite(content: bytes, scale: float, offset: float) -> bytes:
    """Insert MUL and ADD before the graph; its old input becomes the sum."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    old = graph.inputs[0]
    pixels, product = (_tensor(graph, name, graph.tensors[old].shape) for name in (b"image", b"pixels_product"))
    factor, shift = (_constant(model, graph, value) for value in (scale, offset))
    first = _operator(model, schema.BuiltinOperator.MUL, [pixels, factor], product)
    second = _operator(model, schema.BuiltinOperator.ADD, [product, shift], old)
    graph.operators = [first, second, *graph.operators]
    graph.inputs = [pixels]
    for signature in model.signatureDefs or []:
        signature.inputs[0].tensorIndex = pixels
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _tensor(graph: Any, name: bytes, shape: Sequence[int], buffer: int = 0) -> int:  # noqa: ANN401 - generated classes
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), schema.TensorType.FLOAT32, buffer
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _constant(model: Any, graph: Any, value: float) -> int:  # noqa: ANN401 - the same
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = list(np.float32(value).tobytes())
    model.buffers.append(buffer)
    return _tensor(graph, b"pixels_constant", [], len(model.buffers) - 1)


def _operator(model: Any, builtin: int, inputs: list[int], output: int) -> Any:  # noqa: ANN401 - the same
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes) - 1, inputs, [output]
    is_product = builtin == schema.BuiltinOperator.MUL
    operator.builtinOptionsType = schema.BuiltinOptions.MulOptions if is_product else schema.BuiltinOptions.AddOptions
    operator.builtinOptions = schema.MulOptionsT() if is_product else schema.AddOptionsT()
    return operator
