"""What determines the time of an operator: amounts of work, each of which takes a time of its own on a device."""

from __future__ import annotations

from collections import defaultdict
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_runtime.latency.operator import Operator

# Kernels compute blocks of positions and output channels, over input channels in steps, and the rest of a shape as one
# more block. Which blocks they are depends on the processor.
BLOCKS = ((1, 8, 1), (1, 8, 8), (3, 8, 8), (4, 8, 1), (4, 8, 8), (4, 16, 1), (4, 16, 4))
CHANNELS = 8
SMALL_WINDOW = 9
TWO_INPUTS = ("ADD", "MUL", "SUB", "DIV")


def amounts(operators: Iterable[Operator]) -> Mapping[tuple[str, str], float]:
    """Return the sum of each amount of work, by the group of the operator and the name of the amount."""
    total: dict[tuple[str, str], float] = defaultdict(float)
    for operator in operators:
        name = group(operator)
        for amount, value in _work(operator).items():
            total[name, amount] += value
    return total


def group(operator: Operator) -> str:
    """Return the name of the operators whose times grow in the same way."""
    if operator.name == "CONV_2D":
        if operator.kernel != (1, 1):
            return "CONV_2D window"
        return "CONV_2D vector" if _positions(operator) == 1 else "CONV_2D"
    if operator.name in TWO_INPUTS:
        return f"{operator.name} {_second_input(operator)}"
    return operator.name


def _second_input(operator: Operator) -> str:
    if operator.operand <= 1:
        return "number"
    return "channels" if operator.operand < prod(operator.result) else "tensor"


def _work(operator: Operator) -> dict[str, float]:
    if operator.name == "CONV_2D":
        return _convolution(operator)
    if operator.name == "DEPTHWISE_CONV_2D":
        return _depthwise(operator)
    elements, results = prod(operator.source), prod(operator.result)
    if operator.name == "FULLY_CONNECTED":
        return {"one": 1, "weights": elements * results, "results": results}
    window = prod(operator.kernel)
    rows = _positions(operator) * window * (window > 1)
    return {"one": 1, "elements": max(elements, results * window), "rows": rows}


def _convolution(operator: Operator) -> dict[str, float]:
    positions, window = _positions(operator), prod(operator.kernel)
    depth, results = operator.source[2], operator.result[2]
    blocks = {
        f"multiplications in {rows}x{columns}x{step}": _up(positions, rows) * _up(results, columns) * _up(depth, step)
        for rows, columns, step in BLOCKS
    }
    channels = _up(results, CHANNELS)
    return {
        **{name: window * multiplications for name, multiplications in blocks.items()},
        "one": 1,
        "results": positions * channels,
        "elements": prod(operator.source),
        "weights": channels * depth * window,
        "rows": positions * window * (window > 1),
    }


def _depthwise(operator: Operator) -> dict[str, float]:
    positions, window, results = _positions(operator), prod(operator.kernel), prod(operator.result)
    small = window <= SMALL_WINDOW
    return {
        "one": 1,
        "multiplications": results * window * small,
        "multiplications in a large window": results * window * (not small),
        "results": results,
        "elements": prod(operator.source),
        "rows": positions * window,
    }


def _positions(operator: Operator) -> int:
    return operator.result[0] * operator.result[1]


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
