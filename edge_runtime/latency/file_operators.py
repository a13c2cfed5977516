"""Read the operators of a TFLite file."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import BackendUnavailable, InferenceError
from edge_runtime.latency.operator import Operator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.latency.operator import Shape

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
POOLS = ("MAX_POOL_2D", "AVERAGE_POOL_2D")
TWO_INPUTS = ("ADD", "MUL", "SUB", "DIV")


def file_operators(content: bytes, where: str) -> list[Operator]:
    """Return the operators of a TFLite file in the order in which they run.

    Args:
        content: the file.
        where: names the file in errors.

    Raises:
        InferenceError: it is no TFLite file of one graph.
        BackendUnavailable: LiteRT, whose classes read the file, is not installed.

    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ModuleNotFoundError:
        raise BackendUnavailable("LiteRT is not installed; install it with: pip install 'edgewise[export]'") from None
    if content[4:8] != b"TFL3":
        raise InferenceError(f"{where}: is no TFLite file")
    try:
        model = schema.Model.GetRootAs(content, 0)
        graph = model.Subgraphs(0)
        return [_operator(model, graph, graph.Operators(place)) for place in range(graph.OperatorsLength())]
    except Exception as problem:  # noqa: BLE001 - the generated classes raise whatever damaged bytes lead to
        raise InferenceError(f"{where}: is damaged: {problem}") from None


def _operator(model: Any, graph: Any, operator: Any) -> Operator:  # noqa: ANN401 - generated classes
    code = model.OperatorCodes(operator.OpcodeIndex())
    name = _name("BuiltinOperator", max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
    given = [operator.Inputs(place) for place in range(operator.InputsLength())]
    inputs = [graph.Tensors(tensor) for tensor in given if tensor >= 0]  # -1 stands for an optional one
    result = graph.Tensors(operator.Outputs(0))
    return Operator(
        name,
        _shape(_sizes(inputs[0])),
        _shape(_sizes(result)),
        _kernel(name, operator, inputs),
        max(1, prod(_sizes(inputs[1]))) if name in TWO_INPUTS else 0,
        _name("TensorType", result.Type()),
    )


def _kernel(name: str, operator: Any, inputs: Sequence[Any]) -> tuple[int, int]:  # noqa: ANN401 - the same
    from ai_edge_litert import schema_py_generated as schema

    if name in WEIGHTED[:2]:
        return tuple(_sizes(inputs[1])[1:3])  # type: ignore[return-value]
    if name in POOLS:
        options = schema.Pool2DOptions()
        table = operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        return options.FilterHeight(), options.FilterWidth()
    return 1, 1


def _sizes(tensor: Any) -> list[int]:  # noqa: ANN401 - the same
    return [tensor.Shape(place) for place in range(tensor.ShapeLength())]


def _shape(sizes: Sequence[int]) -> Shape:
    """Return height, width and channels; a vector has one position."""
    if len(sizes) == 4:
        return sizes[0] * sizes[1], sizes[2], sizes[3]
    return 1, 1, prod(sizes)


def _name(group: str, value: int) -> str:
    return _names(group).get(value, f"{group} {value}")


@cache
def _names(group: str) -> dict[int, str]:
    """Return the names of the values of one of the schema's enumerations."""
    from ai_edge_litert import schema_py_generated as schema

    return {number: name for name, number in vars(getattr(schema, group)).items() if isinstance(number, int)}
