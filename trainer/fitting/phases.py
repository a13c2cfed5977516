"""Train a model on a dataset, in the phases that its kind of network needs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import tensorflow as tf

from trainer.fitting.cluster import ALONE
from trainer.fitting.devices import check_agreement, open_devices
from trainer.fitting.job import Job, fit_phase, rows_of_split
from trainer.fitting.optimizers import adam, rmsprop
from trainer.fitting.transfer import train_transfer
from trainer.images.augment import LIMITS
from trainer.networks.models import build_cnn, build_cnn_bn, build_untrained

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.fitting.cluster import Cluster
    from trainer.fitting.fit import Phase
    from trainer.images.dataset import Dataset
    from trainer.networks.models import Model
    from trainer.options import Options


class TrainingResult(NamedTuple):
    """A trained model and how it was trained.

    Attributes:
        model: from pixels to probabilities.
        phases: the results of its phases, in their order.
        devices: the devices that trained, as a JSON object.

    """

    model: Model
    phases: list[Phase]
    devices: dict[str, Any]


def train_model(dataset: Dataset, options: Options, work: Path, cluster: Cluster = ALONE) -> TrainingResult:
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
    callbacks = (keras.callbacks.TensorBoard(options.tensorboard),) if options.tensorboard and cluster.chief else ()
    job = Job(dataset, options, work, devices, callbacks)
    model = _network_from_scratch(dataset, options)
    if model is None:
        model, phases = train_transfer(job)
    else:
        phases = [_train_all_layers(model, job)]
    return TrainingResult(model, phases, devices.to_json())


def make_repeatable(seed: int) -> None:
    """Make all random numbers of Python, NumPy and TensorFlow in this process depend only on the seed."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _network_from_scratch(dataset: Dataset, options: Options) -> Model | None:
    """Build the network if all of its layers are trained in one phase; return None for a backbone with a new head."""
    if options.model == "cnn":
        return build_cnn(dataset.spec, pooling=options.pooling)
    if options.model == "cnn_bn":
        return build_cnn_bn(dataset.spec, dropout=options.dropout)
    if options.weights == "none" and options.fine_tune_layers is None:
        return build_untrained(
            options.model, dataset.spec, alpha=options.alpha, dropout=options.dropout, last=options.cut
        )
    return None


def _train_all_layers(model: Model, job: Job) -> Phase:
    options = job.options
    optimizer = rmsprop if options.model == "cnn" else adam
    return fit_phase(
        model,
        rows_of_split(job.dataset, "train"),
        rows_of_split(job.dataset, "validation"),
        job,
        phase="all",
        epochs=options.epochs,
        make_optimizer=partial(optimizer, options.learning_rate),
        augmented=LIMITS[options.augment],
    )
