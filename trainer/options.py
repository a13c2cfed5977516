"""The settings of a training run, with the defaults of each model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge_runtime.model.spec import ResizeMode

ModelName = Literal["cnn", "cnn_bn", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_lite0"]
ClassWeights = Literal["auto", "on", "off"]
Augmentation = Literal["standard", "photo", "gentle", "none"]
OLD_AUGMENTATIONS = {"article": "standard"}  # older names, on the command line and in older runs
Pooling = Literal["max", "none"]
Strategy = Literal["auto", "mirrored", "multiworker"]


class Recipe(NamedTuple):
    """The defaults of a model.

    Attributes:
        image_size: width and height of the square input in pixels.
        epochs: the maximum (of the head, for a model with a backbone).
        patience: epochs without a lower validation loss before a phase stops.
        learning_rate: of RMSprop for cnn, of AdamW for the others; the maximum of its schedule.
        weight_decay: fraction of each weight, times the learning rate, that every step subtracts.
        label_smoothing: fraction of each target that is spread over all classes.
        fine_tune_layers: how many of a backbone's last layers are trained in the second phase; None as in Options.

    """

    image_size: int
    epochs: int
    patience: int
    learning_rate: float
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    fine_tune_layers: int | None = 0


TRANSFER_RECIPE = Recipe(160, 40, 8, 1e-3, weight_decay=1.0, fine_tune_layers=None)
BACKBONE_RECIPES: dict[ModelName, Recipe] = {  # of the models with a pretrained backbone
    "mobilenet_v2": TRANSFER_RECIPE,
    "mobilenet_v3_small": TRANSFER_RECIPE,
    "mobilenet_v3_large": TRANSFER_RECIPE,
    "efficientnet_lite0": TRANSFER_RECIPE._replace(image_size=224),  # as its weights were trained
}
RECIPES: dict[ModelName, Recipe] = {
    "cnn": Recipe(96, 80, 25, 1e-3),
    "cnn_bn": Recipe(128, 150, 50, 3e-3, weight_decay=0.05, label_smoothing=0.05),
    **BACKBONE_RECIPES,
}


def is_pretrained(model: str, weights: str) -> bool:
    """Return whether a model has a backbone with weights that were trained on other images."""
    return model in BACKBONE_RECIPES and weights != "none"


def recipe_of(model: ModelName, weights: str) -> Recipe:
    """Return a model's defaults; a backbone without weights is trained from scratch, like cnn_bn."""
    own = RECIPES[model]
    if model not in BACKBONE_RECIPES or is_pretrained(model, weights):
        return own
    return RECIPES["cnn_bn"]._replace(image_size=own.image_size, fine_tune_layers=own.fine_tune_layers)


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How a data folder is read: what decides which photograph is used for what, and as which pixels.

    Attributes:
        image_size: width and height of the square input in pixels.
        resize: how photographs are resized to it, as in ModelSpec.
        background: a folder of images that show none of the classes, which become one more class; empty for none.
        corrections: a CSV file that changes the labels of photographs, or leaves them out; empty for none.
        augment: how much the photographs are transformed during training, as in trainer.images.augment.
        validation_fraction: fraction of the photographs that chooses the best epoch.
        test_fraction: fraction of the photographs that measures the result.
        seed: of split, weights, order and augmentation.

    """

    image_size: int
    resize: ResizeMode = "stretch"
    background: str = ""
    corrections: str = ""
    augment: Augmentation = "standard"
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Options(DataOptions):
    """The settings of a training run: everything that decides its result except the data and the machine.

    Attributes:
        model: which network.
        epochs: the maximum (of the head, for a model with a backbone).
        patience: epochs without a lower validation loss before a phase stops.
        learning_rate: of the first phase.
        batch_size: photographs in a step.
        weight_decay: fraction of each weight, times the learning rate, that every step subtracts.
        label_smoothing: fraction of each target that is spread over all classes.
        mixup: alpha of the beta distribution with which photographs are mixed; 0 mixes none.
        class_weights: whether rare classes get a larger weight: "on", "off", or "auto" from an imbalance of 1.5:1.
        precision: the precision that each class's threshold must reach, 0..1; 0 sets no thresholds.
        keep: the share of photographs of the classes that is meant to be recognized as familiar, in 0..1; 0 leaves the
            familiarity out.
        views: augmented views of each photograph that a backbone's frozen layers process, in addition to the
            photograph; None uses them only for few photographs.
        tensorboard: a folder for TensorBoard's logs; empty for none.
        pooling: of cnn: "max" or "none".
        weights: of a backbone: "imagenet", "none" or a file.
        alpha: of a backbone: its width multiplier.
        cut: of a backbone: the name of its last layer that is used; empty for the whole.
        dropout: of a head and of cnn_bn.
        fine_tune_layers: how many of the backbone's last layers are trained in the second phase; 0 skips that phase.
            None runs it if the head alone misclassifies more than a few of the validation photographs, and trains
            the whole network in one phase if the backbone has no weights.
        fine_tune_epochs: the maximum of the second phase.
        fine_tune_rate: learning rate of the second phase.
        strategy: which devices share the batches: "mirrored" all GPUs of this machine, "multiworker" those of the
            machines in TF_CONFIG, "auto" what is available; a single device needs none.
        mixed_precision: whether a GPU computes in float16; the weights stay float32.

    """

    model: ModelName
    epochs: int
    patience: int
    learning_rate: float
    batch_size: int = 32
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    class_weights: ClassWeights = "auto"
    precision: float = 0.0
    keep: float = 0.95
    views: int | None = None
    tensorboard: str = ""
    pooling: Pooling = "max"
    weights: str = "imagenet"
    alpha: float = 1.0
    cut: str = ""
    dropout: float = 0.2
    fine_tune_layers: int | None = 0
    fine_tune_epochs: int = 6
    fine_tune_rate: float = 1e-4
    strategy: Strategy = "auto"
    mixed_precision: bool = False
