"""Compute how much activation memory a model needs at the same time, from the lifetime of each tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from keras import layers

from trainer.description.graph import size
from trainer.description.windows import CONVOLUTIONS, POOLING, same_padding, windows_of

if TYPE_CHECKING:
    from trainer.description.graph import Graph, Step

# An export merges these into the layer before them, or they only change a shape.
IN_PLACE = (
    layers.BatchNormalization,
    layers.ReLU,
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.GaussianNoise,
    layers.Identity,
    layers.Flatten,
    layers.Reshape,
)
FUSED_ACTIVATIONS = ("linear", "relu", "relu6")


class Held(NamedTuple):
    """The memory in use while a step runs.

    Attributes:
        values: number of values: the model's input, the step's inputs and outputs, and everything that a later step
            reads.
        buffers: for each of the step's outputs, the buffer that contains it; steps that work in place share one.

    """

    values: int
    buffers: tuple[int, ...]


def hold(graph: Graph) -> list[Held]:
    """Follow the tensors of one image through a model, step by step, as TensorFlow Lite's arena allocates them.

    A tensor is kept from the step that computes it until the last that reads it; the model's input and output from
    beginning to end. A step that `in_place` accepts needs no memory in addition to its input. Weights, and memory that
    a runtime's kernels need for themselves, are not counted.

    Args:
        graph: the model's steps.

    Returns:
        One for each step.

    """
    ends = {number: at for at, step in enumerate(graph.steps) for number in step.inputs}
    last = len(graph.steps)
    ends |= dict.fromkeys(graph.results, last)
    ends |= {number: last for step in graph.steps if not step.inputs for number in step.outputs}
    buffer_of: dict[int, int] = {}
    sizes: dict[int, int] = {}
    until: dict[int, int] = {}
    held = []
    for at, step in enumerate(graph.steps):
        for number, shape in zip(step.outputs, step.given, strict=True):
            shared = in_place(step, graph) and ends[step.inputs[0]] == at == until[buffer_of[step.inputs[0]]]
            buffer = buffer_of[step.inputs[0]] if shared else number
            buffer_of[number], until[buffer] = buffer, ends.get(number, at)
            sizes.setdefault(buffer, size(shape))
        alive = {buffer_of[number] for number in (*step.inputs, *step.outputs)}
        alive |= {buffer for buffer, end in until.items() if end > at}
        held.append(Held(sum(sizes[buffer] for buffer in alive), tuple(buffer_of[number] for number in step.outputs)))
    return held


def in_place(step: Step, graph: Graph) -> bool:
    """Return whether an exported model has no separate tensor for a step's output."""
    if len(step.inputs) != 1:
        return False
    if isinstance(step.layer, layers.Activation):
        return step.layer.activation.__name__ in FUSED_ACTIVATIONS
    if isinstance(step.layer, layers.ZeroPadding2D):
        return _padding_folds(step, graph)
    return isinstance(step.layer, IN_PLACE)


def _padding_folds(step: Step, graph: Graph) -> bool:
    """Return whether a zero padding precedes a window that could add the padding itself, as an export does."""
    readers = [other for other in graph.steps if step.outputs[0] in other.inputs]
    if len(readers) != 1 or not isinstance(readers[0].layer, (*CONVOLUTIONS, *POOLING)):
        return False
    pairs = zip(windows_of(step) or (), windows_of(readers[0]) or (), strict=True)
    return all((own.before, own.after) == same_padding(own.n, other.f, other.s) for own, other in pairs)
