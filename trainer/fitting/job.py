"""The inputs of a training run, and the fit of one of its phases."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from trainer.fitting.devices import trainable_copy
from trainer.fitting.fit import Phase, fit
from trainer.fitting.replicas import divisible_rows
from trainer.fitting.task import FitTask, Plan
from trainer.images.batches import plain_batches, training_batches
from trainer.networks.models import accuracy, loss_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from trainer.data.split import Split
    from trainer.fitting.devices import Devices
    from trainer.images.augment import Limits
    from trainer.images.dataset import Dataset
    from trainer.networks.models import Model
    from trainer.options import Options

IMBALANCE = 1.5  # ratio of the largest class to the smallest; above it, classes are weighted by default


class Rows(NamedTuple):
    """Rows of an array, with their targets.

    Attributes:
        array: uint8 pixels of shape (photos, H, W, 3), or float16 features of shape (photos, ...).
        rows: the rows to use, int64 of shape (N,).
        targets: target probabilities of these rows, float32 of shape (N, 1) for two classes, else (N, classes).

    """

    array: NDArray[Any]
    rows: NDArray[np.int64]
    targets: NDArray[np.float32]


class Job(NamedTuple):
    """The inputs that all phases of a training run share.

    Attributes:
        dataset: photographs with their splits; "train" and "validation" are used.
        options: the settings.
        work: a folder for the state from which an interrupted run is resumed.
        devices: the devices that train.
        callbacks: additional callbacks for Keras.

    """

    dataset: Dataset
    options: Options
    work: Path
    devices: Devices
    callbacks: tuple[Any, ...] = ()


def rows_of_split(dataset: Dataset, split: Split) -> Rows:
    """Return the pixels and the targets of a split's photographs."""
    photos = dataset.of(split)
    classes = dataset.targets(photos)
    sigmoid = dataset.spec.output == "sigmoid"
    targets = classes[:, None] if sigmoid else np.eye(len(dataset.spec.labels))[classes]
    return Rows(dataset.pixels, np.array([photo.row for photo in photos], np.int64), targets.astype(np.float32))


def class_weights(targets: NDArray[np.int64], wanted: str) -> dict[int, float] | None:
    """Return a weight for each class that is inversely proportional to its frequency; None for equal weights.

    Args:
        targets: class indices of the training photographs, shape (N,).
        wanted: "on", "off", or "auto": on if the largest class has more than IMBALANCE times as many photographs as
            the smallest.

    """
    counts = Counter(targets.tolist())
    if wanted == "off" or (wanted == "auto" and max(counts.values()) <= IMBALANCE * min(counts.values())):
        return None
    return {number: len(targets) / (len(counts) * count) for number, count in sorted(counts.items())}


def fit_phase(
    model: Model,
    train: Rows,
    validation: Rows,
    job: Job,
    *,
    phase: str,
    epochs: int,
    make_optimizer: Callable[..., Any],
    augmented: Limits | None = None,
) -> Phase:
    """Fit a model on rows of arrays, on the job's devices.

    Args:
        model: a classifier of the rows; it gets the weights of the best epoch.
        train: the rows to train on.
        validation: the rows that choose the best epoch.
        job: the settings, the devices and the folder of the state.
        phase: its name in the history.
        epochs: maximum number of epochs.
        make_optimizer: returns a Keras optimizer for the keyword arguments `steps` and `weight_decay`.
        augmented: the limits of the random transforms of the training pixels; None for none.

    """
    options, devices = job.options, job.devices
    plan = Plan(epochs, options.patience, divisible_rows(len(train.rows), devices.replicas), options.batch_size)
    with devices.scope():
        trainable = trainable_copy(model, devices, mixed_precision=options.mixed_precision)
        optimizer = make_optimizer(steps=epochs * plan.steps, weight_decay=options.weight_decay)
        _compile(trainable, optimizer, job)
        task = FitTask(
            phase=phase,
            train=_training_batches_from(train, options, augmented),
            validation=plain_batches(*validation, batch_size=options.batch_size),
            plan=plan,
            state=job.work / f"{phase}.npz",
            class_weight=class_weights(job.dataset.targets(job.dataset.of("train")), options.class_weights),
            callbacks=job.callbacks,
            strategy=devices.strategy,
        )
        fitted = fit(trainable, task)
    if trainable is not model:  # the model stays on one device and in float32, in which it is evaluated and exported
        model.set_weights(trainable.get_weights())
    return fitted


def _compile(model: Model, optimizer: Any, job: Job) -> None:  # noqa: ANN401 - a Keras optimizer, untyped
    options = job.options
    model.compile(
        optimizer=keras.optimizers.LossScaleOptimizer(optimizer) if options.mixed_precision else optimizer,
        loss=loss_of(job.dataset.spec, options.label_smoothing),
        metrics=[accuracy()],
    )


def _training_batches_from(train: Rows, options: Options, augmented: Limits | None) -> Callable[[int], Any]:
    """Return a function that returns the training batches from a given epoch on."""
    batches = partial(
        training_batches,
        *train,
        batch_size=options.batch_size,
        seed=options.seed,
        augmented=augmented,
        mixup=options.mixup,
    )
    return lambda first_epoch: batches(first_epoch=first_epoch)
