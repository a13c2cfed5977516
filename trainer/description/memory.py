"""Compute how much activation memory a model needs, from the lifetime of each tensor."""

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


class MemoryUse(NamedTuple):
    """The memory in use while a step runs.

    Attributes:
        values: number of values in memory: the step's inputs and outputs, the model's inputs, and every tensor that a
            later step reads.
        buffers: for each of the step's outputs, the number of its buffer; steps that work in place share a buffer.

    """

    values: int
    buffers: tuple[int, ...]


def memory_use(graph: Graph) -> list[MemoryUse]:
    """Compute the memory in use during each step for one image, as TensorFlow Lite allocates its arena.

    A tensor is kept from the step that computes it until the last step that reads it; the model's inputs and
    outputs are kept until the end. A step for which `in_place` is true needs no memory in addition to its input.
    Weights, and temporary memory of a runtime's kernels, are not counted.

    Args:
        graph: the model's steps.

    Returns:
        One item for each step.

    """
    last_use = {number: at for at, step in enumerate(graph.steps) for number in step.inputs}
    end = len(graph.steps)
    last_use |= dict.fromkeys(graph.results, end)
    last_use |= {number: end for step in graph.steps if not step.inputs for number in step.outputs}
    buffer_of: dict[int, int] = {}
    sizes: dict[int, int] = {}
    until: dict[int, int] = {}
    uses = []
    for at, step in enumerate(graph.steps):
        for number, shape in zip(step.outputs, step.output_shapes, strict=True):
            shared = in_place(step, graph) and last_use[step.inputs[0]] == at == until[buffer_of[step.inputs[0]]]
            buffer = buffer_of[step.inputs[0]] if shared else number
            buffer_of[number], until[buffer] = buffer, last_use.get(number, at)
            sizes.setdefault(buffer, size(shape))
        alive = {buffer_of[number] for number in (*step.inputs, *step.outputs)}
        alive |= {buffer for buffer, step_number in until.items() if step_number > at}
        buffers = tuple(buffer_of[number] for number in step.outputs)
        uses.append(MemoryUse(sum(sizes[buffer] for buffer in alive), buffers))
    return uses


def in_place(step: Step, graph: Graph) -> bool:
    """Return whether an exported model has no separate tensor for a step's output."""
    if len(step.inputs) != 1:
        return False
    if isinstance(step.layer, layers.Activation):
        return step.layer.activation.__name__ in FUSED_ACTIVATIONS
    if isinstance(step.layer, layers.ZeroPadding2D):
        return _padding_is_merged(step, graph)
    return isinstance(step.layer, IN_PLACE)


def _padding_is_merged(step: Step, graph: Graph) -> bool:
    """Return whether a zero padding precedes a layer with the same padding, so that an export merges them."""
    readers = [other for other in graph.steps if step.outputs[0] in other.inputs]
    if len(readers) != 1 or not isinstance(readers[0].layer, (*CONVOLUTIONS, *POOLING)):
        return False
    pairs = zip(windows_of(step) or (), windows_of(readers[0]) or (), strict=True)
    return all((own.before, own.after) == same_padding(own.n, other.f, other.s) for own, other in pairs)
