"""Describe a model: each layer's size by the convolution formula, its parameters, multiply-adds and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.description.graph import flatten, size
from trainer.description.memory import memory_use
from trainer.description.windows import Window, multiply_adds, windows_of

if TYPE_CHECKING:
    from trainer.description.graph import Layer, Shape, Step
    from trainer.networks.models import Model

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Row:
    """One layer.

    Attributes:
        name: its name, after the names of the models that contain it.
        kind: its class.
        windows: the vertical and the horizontal window; None for a layer without windows.
        output: the shape that Keras reports for one image; the first, if it has several outputs.
        parameters: number of its parameters; 0 if an earlier row has the same layer.
        trainable: number of its trainable parameters.
        multiply_adds: for one image; None if unknown.
        memory: number of values in memory while it runs, as `memory_use` counts them.

    """

    name: str
    kind: str
    windows: tuple[Window, Window] | None
    output: Shape
    parameters: int
    trainable: int
    multiply_adds: int | None
    memory: int

    @property
    def formula(self) -> Shape | None:
        """Return (height, width) by the convolution formula; None if it does not apply."""
        return (self.windows[0].output, self.windows[1].output) if self.windows else None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "name": self.name,
            "kind": self.kind,
            "windows": [window._asdict() for window in self.windows] if self.windows else None,
            "formula": self.formula,
            "output": self.output,
            "parameters": self.parameters,
            "trainable": self.trainable,
            "multiply_adds": self.multiply_adds,
            "held_values": self.memory,
        }


@dataclass(frozen=True)
class Description:
    """The description of a model, layer by layer.

    Attributes:
        name: of the model.
        rows: its layers in the order in which Keras runs them, including those of a backbone.

    """

    name: str
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Return the number of parameters of the model."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Return the multiply-adds of one image in the layers for which they are known."""
        return sum(row.multiply_adds or 0 for row in self.rows)

    @property
    def uncounted(self) -> list[str]:
        """Return the names of the layers whose multiply-adds are unknown."""
        return [row.name for row in self.rows if row.multiply_adds is None]

    @property
    def peak(self) -> Row:
        """Return the layer that needs the most activation memory, the first of equal ones."""
        return max(self.rows, key=lambda row: row.memory)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "model": self.name,
            "parameters": self.parameters,
            "trainable": sum(row.trainable for row in self.rows),
            "multiply_adds": self.multiply_adds,
            "multiply_adds_unknown_of": self.uncounted,
            "weights_bytes": {"float32": FLOAT32_BYTES * self.parameters, "int8": self.parameters},
            "peak_activations": {
                "layer": self.peak.name,
                "float32_bytes": FLOAT32_BYTES * self.peak.memory,
                "int8_bytes": self.peak.memory,
            },
            "layers": [row.to_json() for row in self.rows],
        }


def describe(model: Model) -> Description:
    """Describe a Keras model.

    Args:
        model: a graph of layers with inputs of fixed sizes.

    Raises:
        TrainingError: the model is not such a graph.

    """
    graph = flatten(model)
    memory = memory_use(graph)
    return Description(model.name, tuple(_row(step, use.values) for step, use in zip(graph.steps, memory, strict=True)))


def _row(step: Step, memory: int) -> Row:
    weights, trainable = (
        _count_weights(step.layer, which) if step.first_call else 0 for which in ("weights", "trainable_weights")
    )
    return Row(
        name=f"{step.scope}/{step.layer.name}".strip("/"),
        kind=type(step.layer).__name__,
        windows=windows_of(step),
        output=step.output_shapes[0],
        parameters=weights,
        trainable=trainable,
        multiply_adds=multiply_adds(step),
        memory=memory,
    )


def _count_weights(layer: Layer, which: str) -> int:
    return sum(size(tuple(variable.shape)) for variable in getattr(layer, which, ()))
