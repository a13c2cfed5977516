"""The data, the length and the devices of one fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trainer.images.batches import Batches


class Plan(NamedTuple):
    """The length of a fit.

    Attributes:
        epochs: maximum number of epochs.
        patience: epochs without a lower validation loss before the fit stops.
        images: rows per epoch.
        batch_size: rows per step.

    """

    epochs: int
    patience: int
    images: int
    batch_size: int

    @property
    def steps(self) -> int:
        """Return the number of batches per epoch; the last may be smaller."""
        return math.ceil(self.images / self.batch_size)


@dataclass(frozen=True, kw_only=True)
class FitTask:
    """Everything that a fit needs except the model.

    Attributes:
        phase: its name in the history: "all", "head" or "fine-tune".
        train: a function that returns training batches without end, from the given epoch on, counted from 0.
        validation: batches, each row once.
        plan: the length of the fit.
        state: a file that always contains the state after the last completed epoch.
        class_weight: weight of each class index in the training loss; None for equal weights.
        callbacks: additional callbacks for Keras.
        strategy: a tf.distribute.Strategy whose scope is open and in which the model was built; None for one device.

    """

    phase: str
    train: Callable[[int], Batches]
    validation: Batches
    plan: Plan
    state: Path
    class_weight: dict[int, float] | None = None
    callbacks: Sequence[Any] = ()
    strategy: Any = None
