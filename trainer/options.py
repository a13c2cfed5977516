"""What a training run was asked for, with the defaults of each model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from trainer.errors import TrainingError

if TYPE_CHECKING:
    from edge_runtime.spec import ResizeMode

ModelName = Literal["cnn", "cnn_bn", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"]
ClassWeights = Literal["auto", "on", "off"]
Augmentation = Literal["article", "photo", "gentle", "none"]
Strategy = Literal["auto", "mirrored", "multiworker"]


class Recipe(NamedTuple):
    """A model's defaults.

    Attributes:
        image_size: sides of the square input in pixels.
        epochs: at most so many (of the head, for a model with a backbone).
        patience: epochs without a lower validation loss before a phase stops.
        learning_rate: of RMSprop for cnn, of AdamW for the others; the highest of its schedule.
        weight_decay: share of each weight, times the learning rate, that every step takes off.
        label_smoothing: share of each target that goes to all classes alike.
        fine_tune_layers: how many of a backbone's last layers learn in the second phase; None as in Options.

    """

    image_size: int
    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    fine_tune_layers: int | None = 0


TRANSFER_RECIPE = Recipe(160, 40, 8, 1e-3, weight_decay=1.0, fine_tune_layers=None)
RECIPES: dict[ModelName, Recipe] = {
    "cnn": Recipe(96, 80, 25, 1e-3),
    "cnn_bn": Recipe(128, 150, 50, 3e-3, weight_decay=0.05, label_smoothing=0.05),
    "mobilenet_v2": TRANSFER_RECIPE,
    "mobilenet_v3_small": TRANSFER_RECIPE,
    "mobilenet_v3_large": TRANSFER_RECIPE,
}


def recipe_of(model: ModelName, weights: str) -> Recipe:
    """Give a model's defaults; a backbone without weights learns from scratch, like cnn_bn."""
    own = RECIPES[model]
    if own is not TRANSFER_RECIPE or weights != "none":
        return own
    return RECIPES["cnn_bn"]._replace(image_size=own.image_size, fine_tune_layers=own.fine_tune_layers)


def require_weights(weights: str) -> None:
    """Raise TrainingError where a backbone's weights are a file that is not there."""
    if weights not in {"imagenet", "none"} and not Path(weights).is_file():
        raise TrainingError(f"{weights}: no such file; pass --weights FILE, imagenet or none")


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
        weight_decay: share of each weight, times the learning rate, that every step takes off.
        label_smoothing: share of each target that goes to all classes alike.
        mixup: alpha of the beta distribution that photographs are mixed by; 0 mixes none.
        class_weights: whether rare classes weigh more: "on", "off", or "auto" from an imbalance of 1.5:1.
        precision: what the decisions for each class shall reach by its threshold, 0..1; 0 sets no thresholds.
        background: a folder of images of none of the classes, which become one more; empty for none.
        views: augmented views of each photograph that a backbone's frozen layers see, beside itself; None takes them
            for few photographs alone.
        tensorboard: a folder for TensorBoard's logs; empty for none.
        augment: how far the photographs that training sees are transformed, as in trainer.augment.
        pooling: of cnn: "max" or "none".
        weights: of a backbone: "imagenet", "none" or a file.
        alpha: of a backbone: its width.
        dropout: of a head and of cnn_bn.
        fine_tune_layers: how many of the backbone's last layers learn in the second phase; 0 leaves it out, None
            takes it where the head alone misses more than a few of the validation photographs, and lets the whole
            network learn in one phase where the backbone has no weights.
        fine_tune_epochs: at most so many.
        fine_tune_rate: learning rate of the second phase.
        validation_fraction: share of the photographs that chooses the best epoch.
        test_fraction: share of the photographs that measures the result.
        seed: of split, weights, order and augmentation.
        strategy: which devices share the batches: "mirrored" all GPUs of this machine, "multiworker" those of the
            machines in TF_CONFIG, "auto" what there is; one device needs none.
        mixed_precision: whether a GPU computes in float16; the weights stay float32.

    """

    model: ModelName
    image_size: int
    epochs: int
    patience: int
    learning_rate: float
    resize: ResizeMode = "stretch"
    batch_size: int = 32
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    class_weights: ClassWeights = "auto"
    precision: float = 0.0
    background: str = ""
    views: int | None = None
    tensorboard: str = ""
    augment: Augmentation = "article"
    pooling: str = "max"
    weights: str = "imagenet"
    alpha: float = 1.0
    dropout: float = 0.2
    fine_tune_layers: int | None = 0
    fine_tune_epochs: int = 6
    fine_tune_rate: float = 1e-4
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    seed: int = 0
    strategy: Strategy = "auto"
    mixed_precision: bool = False
