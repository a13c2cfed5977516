"""How much activation memory a model needs at once, by the life of each tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from keras import layers

from trainer.description.graph import size
from trainer.description.windows import CONVOLUTIONS, POOLING, same_padding, windows_of

if TYPE_CHECKING:
    from trainer.description.graph import Graph, Step

# An export folds these into the layer in front of them, or they only rename a shape.
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
    """What lies in memory while a step runs.

    Attributes:
        values: how many numbers: the model's input, the step's inputs and outputs, and all that a later step reads.
        buffers: for each of the step's outputs, which buffer holds it; steps that work in place share one.

    """

    values: int
    buffers: tuple[int, ...]


def hold(graph: Graph) -> list[Held]:
    """Follow the tensors of one image through a model, step by step, as TensorFlow Lite's arena holds them.

    A tensor is held from the step that gives it until the last that reads it; what the model takes and gives, from
    beginning to end. A step that `in_place` names needs no room beside its input. Weights, and what a runtime's
    kernels need for themselves, are not counted.

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
    """Tell whether an exported model has no tensor of its own for what a step gives."""
    if len(step.inputs) != 1:
        return False
    if isinstance(step.layer, layers.Activation):
        return step.layer.activation.__name__ in FUSED_ACTIVATIONS
    if isinstance(step.layer, layers.ZeroPadding2D):
        return _padding_folds(step, graph)
    return isinstance(step.layer, IN_PLACE)


def _padding_folds(step: Step, graph: Graph) -> bool:
    """Tell whether zeros are put before a window that could have put them itself: an export lets it do so."""
    readers = [other for other in graph.steps if step.outputs[0] in other.inputs]
    if len(readers) != 1 or not isinstance(readers[0].layer, (*CONVOLUTIONS, *POOLING)):
        return False
    pairs = zip(windows_of(step) or (), windows_of(readers[0]) or (), strict=True)
    return all((own.before, own.after) == same_padding(own.n, other.f, other.s) for own, other in pairs)
