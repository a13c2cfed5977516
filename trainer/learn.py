"""From a dataset to a trained model: the phases of each kind of network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer.batches import plain_batches, steps, training_batches
from trainer.errors import InterruptedEarlyError
from trainer.features import extract
from trainer.fit import Phase, fit
from trainer.models import build_cnn, build_transfer, loss_of, unfreeze_last
from trainer.progress import say

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from trainer.dataset import Dataset
    from trainer.models import Model, Transfer
    from trainer.options import Options
    from trainer.split import Split

AUGMENTED_VIEWS = 1  # of each photograph, for a head on frozen features, beside the photograph itself


class Learned(NamedTuple):
    """A trained model, from pixels to probabilities, and how its phases went."""

    model: Model
    phases: list[Phase]


class Rows(NamedTuple):
    """Rows of an array with their class indices, each int64 of shape (N,)."""

    rows: NDArray[np.int64]
    targets: NDArray[np.int64]


def learn(dataset: Dataset, options: Options, checkpoint: Path) -> Learned:
    """Train the wanted network on a dataset.

    Args:
        dataset: photographs with their splits; "train" and "validation" are used.
        options: everything else that decides the result.
        checkpoint: a .weights.h5 file that always holds the best weights so far of the phase in progress.

    Raises:
        TrainingError: the weights cannot be had, the loss diverged, or it was interrupted too early.

    """
    make_repeatable(options.seed)
    if options.model == "cnn":
        model = build_cnn(dataset.spec, pooling=options.pooling)
        optimizer = keras.optimizers.RMSprop(options.learning_rate)
        return Learned(model, [_fit_pixels(model, dataset, options, optimizer, "all", options.epochs, checkpoint)])
    return _learn_transfer(dataset, options, checkpoint)


def make_repeatable(seed: int) -> None:
    """Make all that follows in this process depend on the seed alone."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _learn_transfer(dataset: Dataset, options: Options, checkpoint: Path) -> Learned:
    transfer = build_transfer(
        options.model, dataset.spec, weights=options.weights, alpha=options.alpha, dropout=options.dropout
    )
    phases = [_fit_head(transfer, dataset, options, checkpoint)]
    if options.fine_tune_layers and not phases[0].interrupted:
        phases += _fine_tune(transfer, dataset, options, checkpoint)
    return Learned(transfer.whole, phases)


def _fit_head(transfer: Transfer, dataset: Dataset, options: Options, checkpoint: Path) -> Phase:
    train, validation = _rows(dataset, "train"), _rows(dataset, "validation")
    views = [
        extract(transfer.trunk, dataset.pixels, train.rows, what=f"features of {len(train.rows)} training photographs")
    ]
    for view in range(AUGMENTED_VIEWS if options.augment else 0):
        seed = options.seed + view
        views.append(
            extract(
                transfer.trunk, dataset.pixels, train.rows, what="features of their augmented views", augment_seed=seed
            )
        )
    held_out = extract(
        transfer.trunk,
        dataset.pixels,
        validation.rows,
        what=f"features of {len(validation.rows)} validation photographs",
    )
    seen = np.concatenate(views)  # (views * N, D)
    _compile(transfer.head, dataset, keras.optimizers.Adam(options.learning_rate))
    return _fit_array(
        transfer.head,
        (seen, Rows(np.arange(len(seen)), np.tile(train.targets, len(views)))),
        (held_out, Rows(np.arange(len(held_out)), validation.targets)),
        options,
        phase="head",
        epochs=options.epochs,
        checkpoint=checkpoint,
    )


def _fine_tune(transfer: Transfer, dataset: Dataset, options: Options, checkpoint: Path) -> list[Phase]:
    """Let the backbone's last layers learn too; none where it was interrupted before it began to pay."""
    before = transfer.whole.get_weights()
    unfreeze_last(transfer.backbone, options.fine_tune_layers)
    optimizer = keras.optimizers.Adam(options.fine_tune_rate)
    try:
        return [
            _fit_pixels(transfer.whole, dataset, options, optimizer, "fine-tune", options.fine_tune_epochs, checkpoint)
        ]
    except InterruptedEarlyError:
        transfer.whole.set_weights(before)
        say("fine-tune: interrupted in its first epoch: keeping the head's best model")
        return []


def _fit_pixels(
    model: Model,
    dataset: Dataset,
    options: Options,
    optimizer: Any,  # noqa: ANN401 - Keras ships no types
    phase: str,
    epochs: int,
    checkpoint: Path,
) -> Phase:
    _compile(model, dataset, optimizer)
    return _fit_array(
        model,
        (dataset.pixels, _rows(dataset, "train")),
        (dataset.pixels, _rows(dataset, "validation")),
        options,
        phase=phase,
        epochs=epochs,
        checkpoint=checkpoint,
        augmented=options.augment,
    )


def _compile(model: Model, dataset: Dataset, optimizer: Any) -> None:  # noqa: ANN401 - Keras ships no types
    model.compile(optimizer=optimizer, loss=loss_of(dataset.spec), metrics=["accuracy"])


def _fit_array(
    model: Model,
    train: tuple[NDArray[Any], Rows],
    validation: tuple[NDArray[Any], Rows],
    options: Options,
    *,
    phase: str,
    epochs: int,
    checkpoint: Path,
    augmented: bool = False,
) -> Phase:
    size = options.batch_size
    return fit(
        model,
        training_batches(train[0], *train[1], batch_size=size, seed=options.seed, augmented=augmented),
        plain_batches(validation[0], *validation[1], batch_size=size),
        phase=phase,
        epochs=epochs,
        steps=steps(len(train[1].rows), size),
        patience=options.patience,
        checkpoint=checkpoint,
    )


def _rows(dataset: Dataset, split: Split) -> Rows:
    photos = dataset.of(split)
    return Rows(np.array([photo.row for photo in photos], np.int64), dataset.targets(photos))
