"""Flatten a Keras model, including nested models, into a list of steps in the order in which Keras runs them."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import keras

from trainer.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trainer.networks.models import Model

# Keras ships no types; these are keras.Layer (or a bare operation) and a symbolic tensor.
Layer = Any
Tensor = Any

Shape = tuple[int, ...]


class Step(NamedTuple):
    """One call of a layer.

    Attributes:
        layer: a keras.Layer, or a bare operation, such as that of `x + 1`.
        scope: the names of the models that contain the layer, outermost first, joined by "/"; empty at the top.
        inputs: the numbers of its input tensors; each is among the outputs of an earlier step.
        outputs: the numbers of its output tensors.
        input_shapes: shapes of the inputs, without the batch dimension.
        output_shapes: shapes of the outputs, without the batch dimension.
        first_call: whether no earlier step calls the same layer.

    """

    layer: Layer
    scope: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    first_call: bool = True


class Graph(NamedTuple):
    """The steps of a model.

    Attributes:
        steps: in the order in which Keras runs them; each model input is a step, too, with an InputLayer.
        results: the numbers of the model's output tensors.

    """

    steps: tuple[Step, ...]
    results: tuple[int, ...]


def flatten(model: Model) -> Graph:
    """Return a model's steps.

    Raises:
        TrainingError: the model is not a graph of layers, or has an input without a fixed size.

    """
    numbers = itertools.count()
    inputs = [next(numbers) for _ in functional(model).inputs]
    steps: list[Step] = []
    results = _append_steps(model, inputs, "", numbers, steps)
    seen: set[int] = set()
    for at, step in enumerate(steps):
        steps[at] = step._replace(first_call=id(step.layer) not in seen)
        seen.add(id(step.layer))
    return Graph(tuple(steps), tuple(results))


def functional(model: Model) -> Model:
    """Return the functional model of a model or of a Sequential. Raise TrainingError if it has none."""
    inner = getattr(model, "_functional", None) or model  # a Sequential has its functional model there
    if not isinstance(inner, keras.Model) or not hasattr(inner, "operations"):
        raise TrainingError(
            f"{model.name}: a {type(model).__name__} with custom code has no graph of layers, so it cannot be described"
        )
    return inner


def size(shape: Shape) -> int:
    """Return the number of values of a tensor of this shape."""
    return math.prod(shape)


def _append_steps(
    model: Model, inputs: Sequence[int], scope: str, numbers: Iterator[int], steps: list[Step]
) -> list[int]:
    """Append the steps of a model whose inputs have these numbers; return the numbers of its outputs."""
    inner = functional(model)
    known = {id(tensor): number for tensor, number in zip(inner.inputs, inputs, strict=True)}
    for node in _nodes(inner):
        layer = node.operation
        node_inputs = [known[id(tensor)] for tensor in node.input_tensors]
        if isinstance(layer, keras.Model):
            node_outputs = _append_steps(layer, node_inputs, f"{scope}/{layer.name}".strip("/"), numbers, steps)
        else:
            node_outputs = [known[id(tensor)] if node.is_input else next(numbers) for tensor in node.outputs]
            if not (node.is_input and scope):
                shapes = _shapes(node.input_tensors, layer), _shapes(node.outputs, layer)
                steps.append(Step(layer, scope, tuple(node_inputs), tuple(node_outputs), *shapes))
        known |= {id(tensor): number for tensor, number in zip(node.outputs, node_outputs, strict=True)}
    return [known[id(tensor)] for tensor in inner.outputs]


def _nodes(model: Model) -> Iterator[Any]:
    """Yield a model's calls in the order in which Keras makes them."""
    by_depth = model._nodes_by_depth  # noqa: SLF001 - Keras has no public access to its graph
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]


def _shapes(tensors: Sequence[Tensor], layer: Layer) -> tuple[Shape, ...]:
    for tensor in tensors:
        if None in tensor.shape[1:]:
            raise TrainingError(
                f"layer {layer.name!r}: has no fixed size, {tuple(tensor.shape)}; use a model with a fixed input size"
            )
    return tuple(tuple(tensor.shape[1:]) for tensor in tensors)
