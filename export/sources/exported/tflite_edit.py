"""Edit a TFLite graph so that it takes RGB pixels in rows and returns one probability for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.sources.exported.tflite_ends import is_quantized, load, operator_name, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from export.sources.exported.ends import ModelEnds
    from export.sources.keras_model import Head
    from export.sources.reading import Reading

# The first version of each operator for these types, except where another one is named.
VERSIONS = {("DEQUANTIZE", "INT8"): 2, ("DEQUANTIZE", "INT16"): 3, ("QUANTIZE", "INT16"): 2}
STALE_METADATA = b"TFLITE_METADATA"  # describes the input and the output before the edit


def pixel_tflite(path: Path, ends: ModelEnds, reading: Reading, head: Head, *, as_it_is: bool) -> bytes:
    """Return a TFLite file that takes pixels, (1, height, width, channels), and returns (1, units).

    Args:
        path: the file.
        ends: its input and output.
        reading: how its input is computed from pixels; it becomes a part of the graph.
        head: "logits" adds the missing softmax or sigmoid.
        as_it_is: whether a device computes the input from the input's quantization alone.

    """
    editor = _Editor(load(path))
    editor.set_input_shape(ends)
    is_changed = ends.resized or ends.batch not in {None, 1}
    if not (as_it_is and ends.layout == "nhwc" and ends.rank == len(("N", "height", "width", "channels"))):
        editor.take_pixels(ends, reading)
        is_changed = True
    if head == "logits" or len(ends.output_shape) != len(("N", "units")):
        editor.give_probabilities(ends, head)
        is_changed = True
    return editor.content() if is_changed else path.read_bytes()


class _Editor:
    """Add operators to the first graph of a model."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - generated classes
        self._model = model
        self._graph = model.subgraphs[0]

    def content(self) -> bytes:
        """Return the file's new bytes."""
        from ai_edge_litert.tools import flatbuffer_utils

        self._model.metadata = [entry for entry in self._model.metadata or [] if entry.name != STALE_METADATA]
        return bytes(flatbuffer_utils.convert_object_to_bytearray(self._model))

    def set_input_shape(self, ends: ModelEnds) -> None:
        """Set one image of the stated size as input; the runtime computes the other shapes from it.

        The shapes to which the graph reshapes a whole batch become those of one image. Whether that is all that the
        batch needs is proved by running the file.
        """
        tensor = self._graph.tensors[self._graph.inputs[0]]
        tensor.shape, tensor.shapeSignature = np.array([1, *ends.input_shape[1:]], np.int32), None
        if ends.batch in {None, 1}:
            return
        for operator in self._graph.operators:
            if operator_name(self._model, operator) == "RESHAPE":
                self._reshape_one(operator, int(ends.batch or 1))

    def take_pixels(self, ends: ModelEnds, reading: Reading) -> None:
        """Put the operators that compute the old input before it, and make pixels the input.

        A convolution of one pixel multiplies, adds and exchanges the channels at the same time.
        """
        old = int(self._graph.inputs[0])
        old_type = type_name(self._graph.tensors[old])
        kind = "FLOAT32" if old_type == "FLOAT32" else "UINT8"
        shape = (1, ends.height, ends.width, ends.channels)
        current = image = self._tensor("image", shape, kind, (1.0, 0) if kind == "UINT8" else None)
        added: list[Any] = []
        if kind == "UINT8":
            current = self._add(added, "DEQUANTIZE", [current], shape, kind)
        if not reading.is_pixels:
            current = self._add(added, "CONV_2D", [current, *self._weights(ends, reading)], shape)
        if ends.rank < len(shape):
            current = self._reshape(added, current, ends.input_shape)
        elif ends.layout == "nchw":
            perm = self._constant(np.array([0, 3, 1, 2], np.int32))
            current = self._add(added, "TRANSPOSE", [current, perm], ends.input_shape)
        if kind == "UINT8":
            converter = "QUANTIZE" if is_quantized(self._graph.tensors[old]) else "CAST"
            self._add(added, converter, [current], ends.input_shape, old_type)
        added[-1].outputs = [old]
        self._graph.operators = [*added, *self._graph.operators]
        self._graph.inputs = [image]
        for signature in self._model.signatureDefs or []:
            signature.inputs[0].tensorIndex = image

    def give_probabilities(self, ends: ModelEnds, head: Head) -> None:
        """Put the operators that compute one probability for each class after the old output."""
        current = int(self._graph.outputs[0])
        added: list[Any] = []
        tensor = self._graph.tensors[current]
        kind, shape = type_name(tensor), (1, ends.units)
        if head == "logits" and kind != "FLOAT32":
            current = self._add(added, "DEQUANTIZE", [current], tensor.shape, kind)
        if len(ends.output_shape) != len(shape):
            current = self._reshape(added, current, shape)
        if head == "logits":
            current = self._add(added, "SOFTMAX" if ends.units > 1 else "LOGISTIC", [current], shape)
        self._graph.operators = [*self._graph.operators, *added]
        self._graph.outputs = [current]
        for signature in self._model.signatureDefs or []:
            signature.outputs[0].tensorIndex = current

    def _weights(self, ends: ModelEnds, reading: Reading) -> tuple[int, int]:
        """Return the filter, (channels, 1, 1, channels), and the bias of a reading."""
        scale, offset = (np.broadcast_to(values, ends.channels) for values in (reading.scale, reading.offset))
        matrix = np.diag(scale)[:, ::-1] if reading.bgr else np.diag(scale)
        return (
            self._constant(np.ascontiguousarray(matrix[:, None, None, :], np.float32)),
            self._constant(offset.astype(np.float32)),
        )

    def _reshape(self, added: list[Any], current: int, shape: Sequence[int]) -> int:
        """Add a RESHAPE, which keeps the type and the quantization."""
        old = self._graph.tensors[current]
        output = self._tensor("reshaped", shape, type_name(old), None)
        self._graph.tensors[output].quantization = old.quantization
        added.append(self._operator("RESHAPE", 1, [current, self._constant(np.array(shape, np.int32))], output))
        added[-1].builtinOptions.newShape = list(shape)
        return output

    def _reshape_one(self, operator: Any, batch: int) -> None:  # noqa: ANN401 - generated classes
        options = operator.builtinOptions
        shape = [] if options is None or options.newShape is None else list(options.newShape)
        if shape and shape[0] == batch:
            options.newShape = [1, *shape[1:]]
        if len(operator.inputs) < len(("tensor", "shape")):
            return
        buffer = self._model.buffers[self._graph.tensors[operator.inputs[1]].buffer]
        if buffer.data is None or not len(buffer.data):
            return
        target = np.frombuffer(bytes(bytearray(buffer.data)), np.int32).copy()
        if target[0] == batch:
            target[0] = 1
            buffer.data = np.frombuffer(target.tobytes(), np.uint8)

    def _add(self, added: list[Any], name: str, inputs: list[int], shape: Sequence[int], kind: str = "FLOAT32") -> int:
        """Add an operator; `kind` is the type of the quantized side of a conversion. Return its output, a float."""
        output = self._tensor(f"edgewise_{name.lower()}", shape, "FLOAT32", None)
        added.append(self._operator(name, VERSIONS.get((name, kind), 1), inputs, output))
        return output

    def _tensor(
        self, name: str, shape: Sequence[int], kind: str, quantization: tuple[float, int] | None, buffer: int = 0
    ) -> int:
        from ai_edge_litert import schema_py_generated as schema

        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name.encode(), list(map(int, shape)), buffer
        tensor.type = getattr(schema.TensorType, kind)
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [quantization[0]], [quantization[1]]
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _constant(self, values: NDArray[Any]) -> int:
        from ai_edge_litert import schema_py_generated as schema

        buffer = schema.BufferT()
        buffer.data = list(values.tobytes())
        self._model.buffers.append(buffer)
        kind = "INT32" if values.dtype == np.int32 else "FLOAT32"
        return self._tensor("edgewise_constant", values.shape, kind, None, len(self._model.buffers) - 1)

    def _operator(self, name: str, version: int, inputs: list[int], output: int) -> Any:  # noqa: ANN401 - generated classes
        from ai_edge_litert import schema_py_generated as schema

        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        code.version = version
        self._model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self._model.operatorCodes) - 1, inputs, [output]
        kinds = {"CONV_2D": "Conv2D", "LOGISTIC": None}
        kind = kinds.get(name, name.capitalize())
        if kind is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
            operator.builtinOptions = getattr(schema, f"{kind}OptionsT")()
        if name == "CONV_2D":
            operator.builtinOptions.strideH = operator.builtinOptions.strideW = 1
        if name == "SOFTMAX":
            operator.builtinOptions.beta = 1.0
        return operator
