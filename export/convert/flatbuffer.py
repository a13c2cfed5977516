"""Finish a TFLite file: metadata, names of input and output, and operator versions that light runtimes support."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from export.convert.metadata import (
    INPUT_NAME,
    METADATA_BUFFER,
    OUTPUT_NAME,
    tflite_metadata,
    with_labels_file,
)
from export.sources.familiarity import FAMILIARITY_BUFFER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_runtime.model.spec import ModelSpec

# FULLY_CONNECTED with float activations and per-tensor int8 weights: version 9. Per channel it is version 12.
# https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc
PER_TENSOR_VERSION, PER_CHANNEL_VERSION = 9, 12


def finish(converted: bytes, spec: ModelSpec) -> bytes:
    """Add metadata, name the input and output `image` and `probabilities`, and lower an operator version.

    The converter treats a dense layer of one unit, which has one scale, as a per-channel one, and gives it a version
    that tflite-runtime 2.14 does not support; with one scale both versions compute the same.

    Args:
        converted: a TFLite file of one subgraph with one input and one output.
        spec: the model's spec, for the metadata.

    Returns:
        The file's new bytes.

    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(converted))
    graph = model.subgraphs[0]
    for tensors, name in ((graph.inputs, INPUT_NAME), (graph.outputs, OUTPUT_NAME)):
        graph.tensors[tensors[0]].name = name.encode()
    for signature in model.signatureDefs or []:
        for maps, name in ((signature.inputs, INPUT_NAME), (signature.outputs, OUTPUT_NAME)):
            maps[0].name = name.encode()
    for code in _per_tensor_codes(model):
        code.version = PER_TENSOR_VERSION
    _attach(model, METADATA_BUFFER, tflite_metadata(spec))
    if spec.min_familiarity is not None:
        _attach(model, FAMILIARITY_BUFFER, str(spec.min_familiarity).encode())
    return with_labels_file(bytes(flatbuffer_utils.convert_object_to_bytearray(model)), spec)


def _attach(model: Any, name: bytes, content: bytes) -> None:  # noqa: ANN401 - generated, untyped classes
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = list(content)
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


def _per_tensor_codes(model: Any) -> Iterator[Any]:  # noqa: ANN401 - generated, untyped classes
    """Find the operator codes marked per channel whose every use has weights with one scale."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode != schema.BuiltinOperator.FULLY_CONNECTED or code.version != PER_CHANNEL_VERSION:
            continue
        uses = [operator for operator in graph.operators if operator.opcodeIndex == index]
        weights = [graph.tensors[operator.inputs[1]] for operator in uses]
        if all(len(tensor.quantization.scale) == 1 for tensor in weights):
            yield code
