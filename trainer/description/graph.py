"""Flatten a Keras model into a list of steps in the order in which Keras runs them, including nested models."""

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
        layer: the layer; a bare operation, such as that of `x + 1`, is one, too.
        inside: the names of the models around it, outermost first, joined by "/"; empty at the top.
        inputs: its inputs, by the numbers that they have as outputs of other steps.
        outputs: its outputs, one number each; `shapes` has their shapes.
        taken: shapes of the inputs, without the batch.
        given: shapes of the outputs, without the batch.
        first: whether no earlier step calls the same layer.

    """

    layer: Layer
    inside: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    taken: tuple[Shape, ...]
    given: tuple[Shape, ...]
    first: bool = True


class Graph(NamedTuple):
    """The steps of a model.

    Attributes:
        steps: in the order in which Keras runs them; each model input is a step, too, of an InputLayer.
        results: numbers of the model's output tensors.

    """

    steps: tuple[Step, ...]
    results: tuple[int, ...]


def flatten(model: Model) -> Graph:
    """Return a model's steps.

    Raises:
        TrainingError: the model is not a graph of layers, or has an input without a fixed size.

    """
    numbers = itertools.count()
    taken = [next(numbers) for _ in functional(model).inputs]
    steps: list[Step] = []
    results = _walk(model, taken, "", numbers, steps)
    seen: set[int] = set()
    for at, step in enumerate(steps):
        steps[at] = step._replace(first=id(step.layer) not in seen)
        seen.add(id(step.layer))
    return Graph(tuple(steps), tuple(results))


def functional(model: Model) -> Model:
    """Return the graph of a model, or the one inside of a Sequential. Raise TrainingError if there is none."""
    inner = getattr(model, "_functional", None) or model  # a Sequential keeps its graph only there
    if not isinstance(inner, keras.Model) or not hasattr(inner, "operations"):
        raise TrainingError(
            f"{model.name}: a {type(model).__name__} with its own code has no graph of layers to describe"
        )
    return inner


def size(shape: Shape) -> int:
    """Return the number of values of a tensor of this shape."""
    return math.prod(shape)


def _walk(model: Model, inputs: Sequence[int], inside: str, numbers: Iterator[int], steps: list[Step]) -> list[int]:
    """Append the steps of a model whose inputs have these numbers; return the numbers of its outputs."""
    inner = functional(model)
    known = {id(tensor): number for tensor, number in zip(inner.inputs, inputs, strict=True)}
    for node in _nodes(inner):
        layer = node.operation
        taken = [known[id(tensor)] for tensor in node.input_tensors]
        if isinstance(layer, keras.Model):
            given = _walk(layer, taken, f"{inside}/{layer.name}".strip("/"), numbers, steps)
        else:
            given = [known[id(tensor)] if node.is_input else next(numbers) for tensor in node.outputs]
            if not (node.is_input and inside):
                shapes = _shapes(node.input_tensors, layer), _shapes(node.outputs, layer)
                steps.append(Step(layer, inside, tuple(taken), tuple(given), *shapes))
        known |= {id(tensor): number for tensor, number in zip(node.outputs, given, strict=True)}
    return [known[id(tensor)] for tensor in inner.outputs]


def _nodes(model: Model) -> Iterator[Any]:
    """Return a model's calls in the order in which Keras makes them."""
    by_depth = model._nodes_by_depth  # noqa: SLF001 - Keras tells its graph nowhere else
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]


def _shapes(tensors: Sequence[Tensor], layer: Layer) -> tuple[Shape, ...]:
    for tensor in tensors:
        if None in tensor.shape[1:]:
            raise TrainingError(
                f"layer {layer.name!r}: has no fixed size, {tuple(tensor.shape)}, from which sizes could be computed"
            )
    return tuple(tuple(tensor.shape[1:]) for tensor in tensors)
