"""What a model is made of: each layer's size by the article's formula, its parameters, multiply-adds and memory."""

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
        name: its own, behind those of the models around it.
        kind: its class.
        windows: down and across, for a layer that has them: their `output` is the article's formula.
        output: what Keras reports that it gives for one image; the first, where it gives several.
        parameters: its numbers; 0 where an earlier row has the same layer.
        trainable: those of them that training changes.
        multiply_adds: for one image; None where that is not known.
        held: values in memory while it runs, as `liveness.hold` counts them.

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
        """Give (height, width) by the article's formula; None where it does not apply."""
        return (self.windows[0].output, self.windows[1].output) if self.windows else None

    def to_json(self) -> dict[str, Any]:
        """Give a JSON object."""
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
    """A model, layer by layer.

    Attributes:
        name: of the model.
        rows: its layers in the order that Keras runs them, those of a backbone within it included.

    """

    name: str
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Count all numbers that the model has learned or measured."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Count the multiply-adds of one image, as far as they are known."""
        return sum(row.multiply_adds or 0 for row in self.rows)

    @property
    def uncounted(self) -> list[str]:
        """Name the layers whose multiply-adds are not known."""
        return [row.name for row in self.rows if row.multiply_adds is None]

    @property
    def peak(self) -> Row:
        """Give the layer that needs the most activation memory, the first of equals."""
        return max(self.rows, key=lambda row: row.held)

    def to_json(self) -> dict[str, Any]:
        """Give a JSON object."""
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
        TrainingError: it is something else.

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
