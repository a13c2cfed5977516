"""Train a model on a dataset: the phases of each kind of network."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer.data.augment import LIMITS, STANDARD, Limits
from trainer.data.batches import plain_batches, training_batches
from trainer.errors import InterruptedEarlyError
from trainer.fitting.cluster import ALONE
from trainer.fitting.devices import check_agreement, learner_of, open_devices
from trainer.fitting.features import extract, head_misses
from trainer.fitting.fit import Phase, Plan, fit
from trainer.fitting.optimizers import adam, rmsprop
from trainer.fitting.replicas import rows_of
from trainer.networks.backbone import unfreeze_last
from trainer.networks.models import accuracy, build_cnn, build_cnn_bn, build_transfer, build_untrained, centred, loss_of
from trainer.progress import log

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from trainer.data.dataset import Dataset
    from trainer.data.split import Split
    from trainer.fitting.cluster import Cluster
    from trainer.fitting.devices import Devices
    from trainer.fitting.fit import Epoch
    from trainer.networks.models import Model, Transfer
    from trainer.options import Options

FINE_TUNED_LAYERS = 60  # of a backbone, by default: about the last six of MobileNetV2's seventeen blocks
HEAD_MISSES = (
    0.04  # fraction of misclassified photographs in cross-validation; above it, fine-tuning improves the result
)
FEW, VIEWS_OF_FEW = 100, 2  # with fewer training photographs, augmented views of each improve a head
IMBALANCE = 1.5  # ratio of the largest class to the smallest; above it, classes are weighted by default


class Learned(NamedTuple):
    """A trained model, from pixels to probabilities, the results of its phases, and its devices."""

    model: Model
    phases: list[Phase]
    devices: dict[str, Any]


class Rows(NamedTuple):
    """Training rows of an array: their indices, int64 (N,), and target probabilities, float32 (N, outputs)."""

    array: NDArray[Any]
    rows: NDArray[np.int64]
    targets: NDArray[np.float32]


class Job(NamedTuple):
    """The inputs of every phase.

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


def learn(dataset: Dataset, options: Options, work: Path, cluster: Cluster = ALONE) -> Learned:
    """Train the network that the options name, or continue an interrupted call with the same arguments.

    Args:
        dataset: photographs with their splits; "train" and "validation" are used.
        options: the settings.
        work: an existing folder that always contains the state after the last completed epoch of each phase.
        cluster: the machines that train together.

    Raises:
        TrainingError: the devices or the weights are not available, the loss diverged, or it was interrupted too early.

    """
    devices = open_devices(options, cluster)
    check_agreement(devices, f"{dataset.fingerprint()} {dataset.spec} {options}")
    make_repeatable(options.seed)
    job = Job(dataset, options, work, devices, _callbacks(options) if cluster.chief else ())
    if options.model == "cnn":
        return _learn_scratch(build_cnn(dataset.spec, pooling=options.pooling), job)
    if options.model == "cnn_bn":
        return _learn_scratch(build_cnn_bn(dataset.spec, dropout=options.dropout), job)
    if options.weights == "none" and options.fine_tune_layers is None:
        blank = build_untrained(options.model, dataset.spec, alpha=options.alpha, dropout=options.dropout)
        return _learn_scratch(blank, job)
    return _learn_transfer(job)


def make_repeatable(seed: int) -> None:
    """Make all random numbers in this process depend only on the seed."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def class_weights(targets: NDArray[np.int64], wanted: str) -> dict[int, float] | None:
    """Return a weight for each class that compensates for its frequency; None for equal weights.

    Args:
        targets: class indices of the training photographs, shape (N,).
        wanted: "on", "off", or "auto": if the largest class has over IMBALANCE times the smallest's photographs.

    """
    counts = Counter(targets.tolist())
    if wanted == "off" or (wanted == "auto" and max(counts.values()) <= IMBALANCE * min(counts.values())):
        return None
    return {number: len(targets) / (len(counts) * count) for number, count in sorted(counts.items())}


def _learn_scratch(model: Model, job: Job) -> Learned:
    options, dataset = job.options, job.dataset
    make = rmsprop if options.model == "cnn" else adam
    return Learned(
        model,
        [
            _fit(
                model,
                (_rows(dataset, "train"), _rows(dataset, "validation")),
                job,
                phase="all",
                epochs=options.epochs,
                optimizer=partial(make, options.learning_rate),
                augmented=LIMITS[options.augment],
            )
        ],
        job.devices.to_json(),
    )


def _learn_transfer(job: Job) -> Learned:
    options, spec = job.options, job.dataset.spec
    tuned = FINE_TUNED_LAYERS if options.fine_tune_layers is None else options.fine_tune_layers
    transfer = build_transfer(
        options.model, spec, weights=options.weights, alpha=options.alpha, dropout=options.dropout, learning=tuned
    )
    seen = _seen(transfer.lower if tuned else transfer.trunk, job)
    pooled = (_pooled(transfer.neck, seen[0]), _pooled(transfer.neck, seen[1])) if tuned else seen
    phases = [_fit_head(transfer, pooled, job)]
    photographs = len(job.dataset.of("train"))
    if not phases[0].interrupted and _wants_tuning(options, pooled[0], photographs):
        phases += _fine_tune(transfer, seen, job, tuned, _best(phases[0]).val_loss)
    return Learned(transfer.whole, phases, job.devices.to_json())


def _fit_head(transfer: Transfer, pooled: tuple[Rows, Rows], job: Job) -> Phase:
    """Fit the head on features after subtracting their mean, then add the mean to its bias.

    Features after a ReLU have means far from zero: the bias that would have to compensate for them changes by a
    thousandth per step and would not converge.
    """
    mean = pooled[0].array.mean(axis=0, dtype=np.float32)
    learner = centred(transfer.head, mean)
    optimizer = partial(adam, job.options.learning_rate)
    phase = _fit(learner, pooled, job, phase="head", epochs=job.options.epochs, optimizer=optimizer)
    kernel, bias = transfer.head.layers[-1].get_weights()
    transfer.head.layers[-1].set_weights([kernel, bias - mean @ kernel])
    return phase


def _wants_tuning(options: Options, features: Rows, photographs: int) -> bool:
    """Return whether to fine-tune the backbone.

    As the options say, else if a head on frozen layers is not accurate enough.
    """
    if options.fine_tune_layers is not None:
        return options.fine_tune_layers > 0
    missed = head_misses(features.array[:photographs], features.targets[:photographs], options.seed)
    if missed <= HEAD_MISSES:
        return False
    log(f"a head alone misclassifies {missed:.1%} of the photographs in cross-validation: fine-tuning the backbone")
    return True


def _best(phase: Phase) -> Epoch:
    return phase.epochs[phase.best]


def _seen(trunk: Model, job: Job) -> tuple[Rows, Rows]:
    """Compute the features of each training view and each validation photograph with the frozen layers."""
    dataset, options = job.dataset, job.options
    limits = LIMITS[options.augment]
    train, validation = _rows(dataset, "train"), _rows(dataset, "validation")
    see = partial(extract, trunk, dataset.pixels)
    views = _views(options, len(train.rows)) if limits else 0
    told = f"computing features of {len(train.rows)} training photographs" + (
        f" and {views} views of each" if views else ""
    )
    seen = see(
        train.rows, views=views, limits=limits or STANDARD, seed=options.seed, what=told, file=job.work / "features.npy"
    )
    held_out = see(validation.rows, what=f"computing features of {len(validation.rows)} validation photographs")
    return (
        Rows(seen, np.arange(len(seen)), np.tile(train.targets, (1 + views, 1))),
        Rows(held_out, np.arange(len(held_out)), validation.targets),
    )


def _views(options: Options, photographs: int) -> int:
    if options.views is not None:
        return options.views
    return VIEWS_OF_FEW if photographs < FEW else 0


def _pooled(neck: Model, part: Rows) -> Rows:
    return part._replace(array=extract(neck, part.array, part.rows, what="computing inputs of the trainable layers"))


def _fine_tune(transfer: Transfer, seen: tuple[Rows, Rows], job: Job, layers: int, head_loss: float) -> list[Phase]:
    """Train the backbone's last layers, too; restore the head's model if that did not improve it."""
    options = job.options
    before = transfer.whole.get_weights()
    unfreeze_last(transfer.backbone, layers)
    optimizer = partial(adam, options.fine_tune_rate)
    try:
        tuned = _fit(transfer.tail, seen, job, phase="fine-tune", epochs=options.fine_tune_epochs, optimizer=optimizer)
    except InterruptedEarlyError:
        transfer.whole.set_weights(before)
        log("fine-tune: interrupted in its first epoch: keeping the model of the head phase")
        return []
    if _best(tuned).val_loss > head_loss:
        transfer.whole.set_weights(before)
        log(f"fine-tune: not better than the validation loss {head_loss:.3f} of the head phase: keeping its model")
    return [tuned]


def _fit(
    model: Model,
    rows: tuple[Rows, Rows],
    job: Job,
    *,
    phase: str,
    epochs: int,
    optimizer: Any,  # noqa: ANN401 - makes a Keras optimizer, which has no type
    augmented: Limits | None = None,
) -> Phase:
    train, validation = rows
    options, spec = job.options, job.dataset.spec
    plan = Plan(epochs, options.patience, rows_of(len(train.rows), job.devices.replicas), options.batch_size)
    batches = partial(
        training_batches,
        *train,
        batch_size=options.batch_size,
        seed=options.seed,
        augmented=augmented,
        mixup=options.mixup,
    )
    with job.devices.scope():
        learner = learner_of(model, job.devices, mixed_precision=options.mixed_precision)
        chosen = optimizer(steps=epochs * plan.steps, weight_decay=options.weight_decay)
        learner.compile(
            optimizer=keras.optimizers.LossScaleOptimizer(chosen) if options.mixed_precision else chosen,
            loss=loss_of(spec, options.label_smoothing),
            metrics=[accuracy()],
        )
        fitted = fit(
            learner,
            lambda first: batches(first_epoch=first),
            plain_batches(*validation, batch_size=options.batch_size),
            phase=phase,
            plan=plan,
            state=job.work / f"{phase}.npz",
            class_weight=class_weights(job.dataset.targets(job.dataset.of("train")), options.class_weights),
            callbacks=job.callbacks,
            strategy=job.devices.strategy,
        )
    if learner is not model:  # the model itself stays on one device and in float32, as it is measured and exported
        model.set_weights(learner.get_weights())
    return fitted


def _callbacks(options: Options) -> tuple[Any, ...]:
    return (keras.callbacks.TensorBoard(options.tensorboard),) if options.tensorboard else ()


def _rows(dataset: Dataset, split: Split) -> Rows:
    photos = dataset.of(split)
    numbers = dataset.targets(photos)
    sigmoid = dataset.spec.output == "sigmoid"
    targets = numbers[:, None] if sigmoid else np.eye(len(dataset.spec.labels))[numbers]
    return Rows(dataset.pixels, np.array([photo.row for photo in photos], np.int64), targets.astype(np.float32))
