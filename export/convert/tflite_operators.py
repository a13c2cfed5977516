"""Read and change operators and constants of a TFLite file, as flatbuffer objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "PAD", "MEAN", "AVERAGE_POOL_2D", "MAX_POOL_2D")
TYPES = {"FLOAT32": "<f4", "INT32": "<i4", "INT8": "i1"}


def operator_name(model: Any, operator: Any) -> str:  # noqa: ANN401 - generated classes
    """Return the name of an operator if it is one of NAMES, or ""."""
    from ai_edge_litert import schema_py_generated as schema

    code = model.operatorCodes[operator.opcodeIndex]
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    return next((name for name in NAMES if getattr(schema.BuiltinOperator, name) == builtin), "")


def constant(model: Any, tensor: int) -> NDArray[np.float64]:  # noqa: ANN401 - the same
    """Return a constant tensor of float32, int32 or int8, as float64."""
    item = model.subgraphs[0].tensors[tensor]
    content = np.asarray(model.buffers[item.buffer].data, np.uint8).tobytes()
    return np.frombuffer(content, _type(item)).reshape(item.shape).astype(np.float64)


def store(model: Any, tensor: int, values: NDArray[np.float64]) -> None:  # noqa: ANN401 - the same
    """Replace a constant; in a buffer of its own, because equal constants share one."""
    from ai_edge_litert import schema_py_generated as schema

    item = model.subgraphs[0].tensors[tensor]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.astype(_type(item)).tobytes(), np.uint8)
    model.buffers.append(buffer)
    item.buffer = len(model.buffers) - 1


def _type(item: Any) -> str:  # noqa: ANN401 - the same
    from ai_edge_litert import schema_py_generated as schema

    return next(kind for name, kind in TYPES.items() if getattr(schema.TensorType, name) == item.type)
