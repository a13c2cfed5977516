"""Refuse ONNX files that read their weights from other files, which no manifest describes.

The device has no `onnx` package, so the file's protocol buffer is walked here. Field numbers are those of onnx.proto3;
the encoding is https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.errors import InferenceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_runtime.model.bundle import ModelFile

# For each message, the message of each field through which a tensor can be reached.
MESSAGES: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "TrainingInfo", 25: "Function"},
    "TrainingInfo": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # fields of Tensor
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10  # bytes
ORT_FORMAT = b"ORTM"  # the identifier of ONNX Runtime's own format, which is not checked here


def refuse_external_data(model: ModelFile) -> None:
    """Raise InferenceError if a tensor of an ONNX file is stored in another file, or the file cannot be parsed."""
    try:
        external = _is_external(memoryview(model.content), "Model")
    except (ValueError, IndexError, RecursionError):
        external = None
    if external is None or model.content[4:8] == ORT_FORMAT:
        raise InferenceError(f"{model.where}: onnxruntime cannot load it: not a readable ONNX file")
    if external:
        raise InferenceError(
            f"{model.where}: its weights are in another file, which a bundle cannot contain; save the model as one file"
        )


def _is_external(message: memoryview, kind: str) -> bool:
    inner = MESSAGES[kind]
    for field, value in _fields(message):
        if kind == "Tensor" and (field == EXTERNAL_DATA or (field == DATA_LOCATION and value != 0)):
            return True
        if field in inner and isinstance(value, memoryview) and _is_external(value, inner[field]):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field. Raise ValueError or IndexError if the message is malformed."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        field, wire_type = key >> 3, key & 7
        value: int | memoryview
        if wire_type == VARINT:
            value, at = _varint(message, at)
        else:
            if wire_type == LENGTH_DELIMITED:
                size, at = _varint(message, at)
            elif wire_type in {FIXED64, FIXED32}:
                size = 8 if wire_type == FIXED64 else 4
            else:
                raise ValueError(f"unknown wire type {wire_type}")
            value = message[at : at + size]
            at += size
            if at > end:
                raise ValueError("a field is longer than its message")
        yield field, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the value and the position after it."""
    number = 0
    for index in range(LONGEST_VARINT):
        byte = message[at + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # the highest bit says that another byte follows
            return number, at + index + 1
    raise ValueError("a number has too many bytes")
