"""Describe a model: each layer's size by the convolution formula, its parameters, multiply-adds and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.description.graph import flatten, size
from trainer.description.memory import hold
from trainer.description.windows import Window, multiply_adds, windows_of

if TYPE_CHECKING:
    from trainer.description.graph import Layer, Shape, Step
    from trainer.networks.models import Model

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Row:
    """One layer.

    Attributes:
        name: its name, after the names of the models around it.
        kind: its class.
        windows: vertical and horizontal, for a layer that has them: their `output` is the result of the formula.
        output: the shape that Keras reports for one image; the first, if it has several outputs.
        parameters: number of its parameters; 0 if an earlier row has the same layer.
        trainable: number of those that training changes.
        multiply_adds: for one image; None if unknown.
        held: values in memory while it runs, as `memory.hold` counts them.

    """

    name: str
    kind: str
    windows: tuple[Window, Window] | None
    output: Shape
    parameters: int
    trainable: int
    multiply_adds: int | None
    held: int

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
            "held_values": self.held,
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
        """Count all parameters of the model."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Count the multiply-adds of one image, as far as they are known."""
        return sum(row.multiply_adds or 0 for row in self.rows)

    @property
    def uncounted(self) -> list[str]:
        """Return the layers whose multiply-adds are unknown."""
        return [row.name for row in self.rows if row.multiply_adds is None]

    @property
    def peak(self) -> Row:
        """Return the layer that needs the most activation memory, the first of equal ones."""
        return max(self.rows, key=lambda row: row.held)

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
                "float32_bytes": FLOAT32_BYTES * self.peak.held,
                "int8_bytes": self.peak.held,
            },
            "layers": [row.to_json() for row in self.rows],
        }


def describe(model: Model) -> Description:
    """Describe a Keras model.

    Args:
        model: a graph of layers with inputs of fixed sizes.

    Raises:
        TrainingError: it is not such a graph.

    """
    graph = flatten(model)
    held = hold(graph)
    return Description(model.name, tuple(_row(step, one.values) for step, one in zip(graph.steps, held, strict=True)))


def _row(step: Step, held: int) -> Row:
    weights, trainable = (_count(step.layer, which) if step.first else 0 for which in ("weights", "trainable_weights"))
    return Row(
        name=f"{step.inside}/{step.layer.name}".strip("/"),
        kind=type(step.layer).__name__,
        windows=windows_of(step),
        output=step.given[0],
        parameters=weights,
        trainable=trainable,
        multiply_adds=multiply_adds(step),
        held=held,
    )


def _count(layer: Layer, which: str) -> int:
    return sum(size(tuple(variable.shape)) for variable in getattr(layer, which, ()))
