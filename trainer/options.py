"""What a training run was asked for, with the defaults of each model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from edge_runtime.spec import ResizeMode

ModelName = Literal["cnn", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"]


class Recipe(NamedTuple):
    """A model's defaults.

    Attributes:
        image_size: sides of the square input in pixels.
        epochs: at most so many (of the head, for a model with a backbone).
        patience: epochs without a lower validation loss before training stops.
        learning_rate: of RMSprop for cnn, of Adam for a head.

    """

    image_size: int
    epochs: int
    patience: int
    learning_rate: float


TRANSFER_RECIPE = Recipe(image_size=160, epochs=60, patience=8, learning_rate=1e-3)
RECIPES: dict[ModelName, Recipe] = {
    "cnn": Recipe(image_size=96, epochs=60, patience=12, learning_rate=1e-3),
    "mobilenet_v2": TRANSFER_RECIPE,
    "mobilenet_v3_small": TRANSFER_RECIPE,
    "mobilenet_v3_large": TRANSFER_RECIPE,
}


@dataclass(frozen=True)
class Options:
    """A training run's settings; all that decides its result beside the data and the machine.

    Attributes:
        model: which network.
        image_size: sides of the square input in pixels.
        resize: how photographs are brought to it, as in ModelSpec.
        epochs: at most so many (of the head, for a model with a backbone).
        batch_size: photographs a step.
        learning_rate: of the first phase.
        patience: epochs without a lower validation loss before a phase stops.
        augment: whether training sees transformed photographs.
        pooling: of cnn: "max" or "none".
        weights: of a backbone: "imagenet", "none" or a file.
        alpha: of a backbone: its width.
        dropout: of a head.
        fine_tune_layers: how many of the backbone's last layers learn in the second phase; 0 leaves it out.
        fine_tune_epochs: at most so many.
        fine_tune_rate: learning rate of the second phase.
        validation_fraction: share of the photographs that chooses the best epoch.
        test_fraction: share of the photographs that measures the result.
        seed: of split, weights, order and augmentation.

    """

    model: ModelName
    image_size: int
    epochs: int
    patience: int
    learning_rate: float
    resize: ResizeMode = "stretch"
    batch_size: int = 32
    augment: bool = True
    pooling: str = "max"
    weights: str = "imagenet"
    alpha: float = 1.0
    dropout: float = 0.2
    fine_tune_layers: int = 0
    fine_tune_epochs: int = 10
    fine_tune_rate: float = 1e-5
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    seed: int = 0
