"""Write a TFLite file of a chain of int8 operators, to measure how long they take."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.latency.flatbuffer import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.latency.flatbuffer import Table
    from edge_runtime.latency.operator import Operator, Shape

# The numbers of https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
INT32, UINT8, INT8 = 2, 3, 9
TYPES = {"INT8": INT8, "UINT8": UINT8}
# Of each operator: its number, its version for int8, and the number of the table of its options.
OPERATORS = {
    "ADD": (0, 2, 11),
    "CONV_2D": (3, 3, 1),
    "DEPTHWISE_CONV_2D": (4, 3, 2),
    "FULLY_CONNECTED": (9, 4, 8),
    "LOGISTIC": (14, 2, 0),
    "MAX_POOL_2D": (17, 2, 5),
    "MUL": (18, 2, 21),
    "SOFTMAX": (25, 2, 9),
    "MEAN": (40, 2, 27),
    "QUANTIZE": (114, 1, 0),
    "HARD_SWISH": (117, 1, 0),
}
RELU6 = 3
SCALE, WEIGHT_SCALE = 0.05, 0.01
PROBABILITY = (1 / 256, -128)  # the only scale and zero point of an int8 SOFTMAX and LOGISTIC
MIDDLE = {INT8: 0, UINT8: 128}


class ModelFile:
    """A TFLite file that grows by one operator at a time; each takes the result of the one before it."""

    def __init__(self) -> None:
        self.tensors: list[Table] = []
        self.buffers: list[Table] = [{}]
        self.operators: list[Table] = []
        self.codes: list[str] = []
        self.results: list[tuple[Shape, int]] = []  # shape and tensor of each result
        self.flat = False  # whether a dense layer has made a vector, which has no height and width

    def add(self, operator: Operator) -> None:
        """Append an operator."""
        if not self.results:
            kind = UINT8 if operator.name == "QUANTIZE" else INT8
            self.results.append((operator.source, self._activation(operator.source, kind)))
        inputs = [*self._inputs(operator), *self._constants(operator)]
        self.flat |= operator.name == "FULLY_CONNECTED"
        scale, zero_point = PROBABILITY if operator.name in {"SOFTMAX", "LOGISTIC"} else (SCALE, None)
        result = self._activation(operator.result, TYPES[operator.kind], scale, zero_point)
        if operator.name not in self.codes:
            self.codes.append(operator.name)
        fields = {0: self.codes.index(operator.name), 1: _integers(inputs), 2: _integers([result])}
        number = OPERATORS[operator.name][2]
        self.operators.append({**fields, 3: number, 4: _options(operator)} if number else fields)
        self.results.append((operator.result, result))

    def encode(self) -> bytes:
        """Return the file."""
        codes = [{0: OPERATORS[name][0], 2: OPERATORS[name][1], 3: OPERATORS[name][0]} for name in self.codes]
        ends = (self.results[0][1], self.results[-1][1])
        graph = {0: self.tensors, 1: _integers(ends[:1]), 2: _integers(ends[1:]), 3: self.operators}
        return encode({0: 3, 1: codes, 2: [graph], 4: self.buffers}, b"TFL3")

    def _inputs(self, operator: Operator) -> list[int]:
        """Return the tensors that the operator takes: the last result, and another one where it takes two."""
        last_shape, last = self.results[-1]
        if operator.source != last_shape:  # the last result scales an earlier one
            return [self._earlier(operator.source), last]
        return [last, self._earlier(operator.source)] if operator.operand > 1 else [last]

    def _earlier(self, shape: Shape) -> int:
        """Return the newest result with a shape, without the last one if there is another."""
        found = [tensor for own, tensor in self.results if own == shape]
        return found[-2] if len(found) > 1 and self.results[-1][0] == shape else found[-1]

    def _constants(self, operator: Operator) -> list[int]:
        """Append the weights and other constants of an operator, and return their tensors."""
        sources, results = operator.source[2], operator.result[2]
        weights = {
            "CONV_2D": ((results, *operator.kernel, sources), 0),
            "DEPTHWISE_CONV_2D": ((1, *operator.kernel, results), 3),
            "FULLY_CONNECTED": ((results, prod(operator.source)), 0),
        }
        if operator.name in weights:
            shape, dimension = weights[operator.name]
            return self._weights(shape, results, dimension, each=operator.name != "FULLY_CONNECTED")
        if operator.name == "MEAN":
            return [self._constant(_integers([1, 2]), INT32, {})]
        if operator.operand == 1:
            return [self._constant(np.ones((), np.int8), INT8, _quantization([SCALE], 0))]
        return []

    def _weights(self, shape: tuple[int, ...], count: int, dimension: int, *, each: bool) -> list[int]:
        """Append weights, with one scale for each output channel or one for all, and a bias."""
        scales = np.full(count if each else 1, WEIGHT_SCALE, np.float32)
        weights = np.resize(np.arange(-127, 128, dtype=np.int8), shape)
        bias = _quantization(scales * np.float32(SCALE), 0)
        return [
            self._constant(weights, INT8, _quantization(scales, 0, dimension)),
            self._constant(np.zeros(count, np.int32), INT32, bias),
        ]

    def _constant(self, values: NDArray[Any], kind: int, quantization: Table) -> int:
        self.buffers.append({0: values.tobytes()})
        return self._tensor(values.shape, kind, quantization, len(self.buffers) - 1)

    def _activation(self, shape: Shape, kind: int, scale: float = SCALE, zero_point: int | None = None) -> int:
        middle = MIDDLE[kind] if zero_point is None else zero_point
        return self._tensor((1, shape[2]) if self.flat else (1, *shape), kind, _quantization([scale], middle), 0)

    def _tensor(self, shape: Sequence[int], kind: int, quantization: Table, buffer: int) -> int:
        name = f"tensor_{len(self.tensors)}"
        self.tensors.append({0: _integers(shape), 1: kind, 2: buffer, 3: name, 4: quantization})
        return len(self.tensors) - 1


def model_file(chain: Sequence[Operator]) -> bytes:
    """Return a TFLite file of a chain of operators.

    Args:
        chain: each takes the result of the one before it. One with an operand of more than one element also takes an
            earlier result of the same shape, if there is one. One whose source is not the last result takes the newest
            result of that shape, and the last one as its operand.

    """
    file = ModelFile()
    for operator in chain:
        file.add(operator)
    return file.encode()


def _options(operator: Operator) -> Table:
    stride = max(1, round(operator.source[0] / operator.result[0]))
    strides, height, width = {1: stride, 2: stride}, *operator.kernel
    tables: dict[str, Table] = {
        "CONV_2D": {**strides, 3: RELU6, 4: 1, 5: 1},
        "DEPTHWISE_CONV_2D": {**strides, 3: 1, 4: RELU6, 5: 1, 6: 1},
        "MAX_POOL_2D": {**strides, 3: width, 4: height},
        "SOFTMAX": {0: 1.0},
        "MEAN": {0: 1},
    }
    return tables.get(operator.name, {})


def _quantization(scales: Any, zero_point: int, dimension: int = 0) -> Table:  # noqa: ANN401 - numbers or an array
    scales = np.asarray(scales, np.float32)
    return {2: scales, 3: np.full(scales.size, zero_point, np.int64), 6: dimension}


def _integers(values: Sequence[int]) -> NDArray[np.int32]:
    return np.asarray(values, np.int32)
