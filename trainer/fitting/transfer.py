"""Train a classifier on a pretrained backbone: first the head, then, if necessary, the backbone's last layers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from trainer.errors import InterruptedEarlyError
from trainer.fitting.features import features_of_splits, pooled_features
from trainer.fitting.head_error import head_error_rate
from trainer.fitting.job import fit_phase
from trainer.fitting.optimizers import adam
from trainer.networks.backbone import unfreeze_last
from trainer.networks.models import build_transfer, centred
from trainer.progress import log

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainer.fitting.fit import Phase
    from trainer.fitting.job import Job, Rows
    from trainer.networks.models import Model, Transfer
    from trainer.options import Options

FINE_TUNED_LAYERS = 60  # of a backbone, by default: about the last six of MobileNetV2's seventeen blocks
MAX_HEAD_ERROR = 0.04  # with a higher error rate of the head in cross-validation, fine-tuning improves the result


def train_transfer(job: Job) -> tuple[Model, list[Phase]]:
    """Train a classifier on the frozen backbone that the options name, then fine-tune the backbone if necessary.

    Returns:
        The model, from pixels to probabilities, and the results of its phases "head" and, if run, "fine-tune".

    Raises:
        TrainingError: the weights are not available, the loss diverged, or it was interrupted too early.

    """
    options = job.options
    layers = FINE_TUNED_LAYERS if options.fine_tune_layers is None else options.fine_tune_layers
    transfer = build_transfer(
        options.model,
        job.dataset.spec,
        weights=options.weights,
        alpha=options.alpha,
        last=options.cut,
        dropout=options.dropout,
        trainable_layers=layers,
    )
    train, validation = features_of_splits(transfer.lower if layers else transfer.trunk, job)
    if layers:
        head_inputs = pooled_features(transfer.neck, train), pooled_features(transfer.neck, validation)
    else:
        head_inputs = train, validation
    head = _fit_head(transfer, *head_inputs, job)
    photographs = len(job.dataset.of("train"))
    if head.interrupted or not _needs_fine_tuning(options, head_inputs[0], photographs):
        return transfer.model, [head]
    tuned = _fine_tune(transfer, train, validation, job, layers=layers, head=head)
    return transfer.model, [head] if tuned is None else [head, tuned]


def _fit_head(transfer: Transfer, train: Rows, validation: Rows, job: Job) -> Phase:
    """Fit the head on features after subtracting their mean, then subtract the mean's contribution from its bias.

    Features after a ReLU have means far from zero. Without the subtraction, the bias would have to compensate for them,
    but it changes by about a thousandth per step and would not converge. The features of a cut backbone are also so
    small that the weights would not converge: they are divided by their standard deviation, then the weights are.
    """
    mean = train.array.mean(axis=0, dtype=np.float32)
    scale = _spread(train.array) if job.options.cut else 1.0
    phase = fit_phase(
        centred(transfer.head, mean, scale),
        train,
        validation,
        job,
        phase="head",
        epochs=job.options.epochs,
        make_optimizer=partial(adam, job.options.learning_rate),
    )
    kernel, bias = transfer.head.layers[-1].get_weights()
    kernel = kernel / np.float32(scale)
    transfer.head.layers[-1].set_weights([kernel, bias - mean @ kernel])
    return phase


def _spread(features: NDArray[np.float32]) -> float:
    """Return the root mean square of the features' standard deviations; 1 if none of them varies."""
    return float(np.sqrt(features.var(axis=0, dtype=np.float64).mean())) or 1.0


def _needs_fine_tuning(options: Options, features: Rows, photographs: int) -> bool:
    """Return whether to fine-tune the backbone: as the options say, else if the head is not accurate enough."""
    if options.fine_tune_layers is not None:
        return options.fine_tune_layers > 0
    error_rate = head_error_rate(features.array[:photographs], features.targets[:photographs], options.seed)
    if error_rate <= MAX_HEAD_ERROR:
        return False
    log(f"the head misclassifies {error_rate:.1%} of the photographs in cross-validation: fine-tuning the backbone")
    return True


def _fine_tune(
    transfer: Transfer, train: Rows, validation: Rows, job: Job, *, layers: int, head: Phase
) -> Phase | None:
    """Train the backbone's last layers together with the head; restore the earlier weights if that is not better.

    Returns:
        The result; None if the first epoch was interrupted.

    """
    options = job.options
    before = transfer.model.get_weights()
    unfreeze_last(transfer.backbone, layers)
    try:
        tuned = fit_phase(
            transfer.tail,
            train,
            validation,
            job,
            phase="fine-tune",
            epochs=options.fine_tune_epochs,
            make_optimizer=partial(adam, options.fine_tune_rate),
        )
    except InterruptedEarlyError:
        transfer.model.set_weights(before)
        log("fine-tune: interrupted in the first epoch: keeping the model of the head phase")
        return None
    head_loss = head.best_epoch.val_loss
    if tuned.best_epoch.val_loss > head_loss:
        transfer.model.set_weights(before)
        log(f"fine-tune: not better than the validation loss {head_loss:.3f} of the head phase: keeping its model")
    return tuned
