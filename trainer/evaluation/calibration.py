"""Calibrate probabilities with a temperature, and measure the calibration error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

from trainer.images.paging import take
from trainer.progress import tracked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from trainer.networks.models import Model

    Floats = NDArray[np.float64]

BATCH_SIZE = 64
FOLDS = 5
BINS = 15  # as in Guo et al. 2017
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 10.0


class Bin(NamedTuple):
    """Photographs whose top class has about the same probability.

    Attributes:
        images: number of photographs.
        confidence: mean probability of the top class, 0..1; 0 in an empty bin.
        accuracy: fraction of correct predictions, 0..1; 0 in an empty bin.

    """

    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """The effect of a temperature on the test photographs' probabilities.

    Attributes:
        temperature: the divisor of the logits; above 1 the model was overconfident. 1 if it is not applied.
        before: photographs by the probability of their top class, without the temperature.
        after: the same with the temperature.
        fitted: the temperature that was fitted.
        reason: why it is not applied; empty if it is.

    """

    temperature: float
    before: tuple[Bin, ...]
    after: tuple[Bin, ...]
    fitted: float = 1.0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "temperature": self.temperature,
            "fitted_temperature": self.fitted,
            "reason": self.reason,
            "expected_calibration_error_before": calibration_error(self.before),
            "expected_calibration_error": calibration_error(self.after),
            "reliability": [one._asdict() for one in self.after],
        }


def features_of(model: Model, pixels: Pixels, rows: NDArray[np.int64], what: str) -> NDArray[np.float32]:
    """Return the input of the last layer, float32 of shape (N, D).

    Args:
        model: a classifier whose last layer is dense.
        pixels: uint8 of shape (photos, H, W, 3).
        rows: the photographs to use, shape (N,).
        what: the text of the progress on stderr.

    """
    import keras  # the other functions of this module are used without TensorFlow, too

    below = keras.Model(model.inputs, model.layers[-1].input)
    chunks = [rows[at : at + BATCH_SIZE] for at in range(0, len(rows), BATCH_SIZE)]
    batches = (take(pixels, chunk) for chunk in tracked(chunks, len(chunks), what))
    return np.concatenate([below.predict_on_batch(batch.astype(np.float32)) for batch in batches])


def logits_of(model: Model, features: NDArray[np.float32]) -> Floats:
    """Return the input of the softmax or sigmoid, float64 of shape (N, units), for the results of `features_of`."""
    kernel, bias = (np.asarray(weight, np.float64) for weight in model.layers[-1].get_weights())
    logits: Floats = features.astype(np.float64) @ kernel + bias
    return logits


def fit_temperature(logits: Floats, targets: NDArray[np.int64]) -> float:
    """Return the temperature that minimises the cross-entropy of the targets, within 0.1..10.

    Temperature scaling: Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv:1706.04599). The targets are
    smoothed by 1 / (N + 2), as in Platt 1999, so that a few photographs that are all classified correctly do not lead
    to probabilities of almost 1.

    Args:
        logits: shape (N, 1) of a sigmoid or (N, classes) of a softmax.
        targets: class indices, shape (N,).

    """
    target_probabilities = _smoothed(targets, max(2, logits.shape[1]))

    def loss(log_temperature: float) -> float:
        return float(-(target_probabilities * log_probabilities(logits / math.exp(log_temperature))).sum(axis=1).mean())

    bounds = (math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE))
    return math.exp(float(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def calibrate(validation: tuple[Floats, NDArray[np.int64]], test: tuple[Floats, NDArray[np.int64]]) -> Calibration:
    """Fit a temperature, and apply it only if it helps on photographs that it was not fitted on.

    It is not applied if it raises the cross-entropy of the validation photographs in cross-validation, or the
    calibration error of the test photographs: with few photographs, a fitted temperature can be worse than none.

    Args:
        validation: logits, shape (N, units), and class indices, shape (N,); the temperature is fitted on them.
        test: the same of the test photographs.

    """
    fitted = fit_temperature(*validation)
    logits, targets = test
    before, after = (reliability(probabilities_of(logits / divisor), targets) for divisor in (1.0, fitted))
    plain, tempered = cross_validated_losses(*validation)
    worse, better = calibration_error(after), calibration_error(before)
    reason = ""
    if tempered >= plain:
        reason = f"in cross-validation the loss is {tempered:.3f} with it and {plain:.3f} without"
    elif worse > better:
        reason = f"the calibration error of the test photographs is {worse:.3f} with it and {better:.3f} without"
    return Calibration(1.0, before, before, fitted, reason) if reason else Calibration(fitted, before, after, fitted)


def cross_validated_losses(logits: Floats, targets: NDArray[np.int64]) -> tuple[float, float]:
    """Return the cross-entropy without a temperature, and with one that is fitted on the other photographs.

    The photographs are divided into FOLDS parts; with fewer than two, both are 0.

    Args:
        logits: shape (N, units).
        targets: class indices, shape (N,).

    """
    folds = min(FOLDS, len(targets))
    if folds < 2:
        return 0.0, 0.0
    fold = np.random.default_rng(0).permutation(len(targets)) % folds
    divisors = np.array([fit_temperature(logits[fold != one], targets[fold != one]) for one in range(folds)])
    rows = np.arange(len(targets))
    losses = [-log_probabilities(logits / divisor)[rows, targets].mean() for divisor in (1.0, divisors[fold][:, None])]
    return float(losses[0]), float(losses[1])


def divide_logits(model: Model, temperature: float) -> None:
    """Divide a model's logits by a temperature: its last, dense layer is scaled, so that no operation is added."""
    last = model.layers[-1]
    last.set_weights([weight / temperature for weight in last.get_weights()])


def log_probabilities(logits: Floats) -> Floats:
    """Return the logarithm of each class's probability, shape (N, classes), for logits of shape (N, units)."""
    if logits.shape[1] == 1:
        return np.concatenate([log_expit(-logits), log_expit(logits)], axis=1)
    return np.asarray(log_softmax(logits, axis=1))


def probabilities_of(logits: Floats) -> Floats:
    """Return each class's probability, shape (N, classes), for logits of shape (N, units)."""
    if logits.shape[1] == 1:
        return np.concatenate([expit(-logits), expit(logits)], axis=1)
    return np.asarray(softmax(logits, axis=1))


def reliability(probabilities: NDArray[np.floating[Any]], targets: NDArray[np.int64]) -> tuple[Bin, ...]:
    """Group photographs into BINS equal ranges of the top class's probability.

    Args:
        probabilities: shape (N, classes).
        targets: class indices, shape (N,).

    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == targets
    bin_index = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    members = [bin_index == number for number in range(BINS)]
    return tuple(
        Bin(int(own.sum()), float(confidence[own].mean()), float(correct[own].mean()))
        if own.any()
        else Bin(0, 0.0, 0.0)
        for own in members
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error, 0..1: the mean gap of confidence and accuracy, weighted by photographs.

    Equation 3 of Guo et al. 2017; 0 without photographs.
    """
    images = sum(one.images for one in bins)
    return sum(one.images * abs(one.accuracy - one.confidence) for one in bins) / max(images, 1)


def thresholds_for(
    precision: float, probabilities: NDArray[np.floating[Any]], targets: NDArray[np.int64]
) -> tuple[float, ...]:
    """Return for each class the lowest threshold at which its predictions reach a precision.

    Args:
        precision: required fraction of correct predictions, 0..1.
        probabilities: shape (N, classes).
        targets: class indices, shape (N,).

    Returns:
        A threshold in 0..1 for each class; 1 if none reaches the precision, so that the class is never predicted.

    """
    return tuple(_threshold(precision, probabilities, targets, number) for number in range(probabilities.shape[1]))


def _threshold(
    precision: float, probabilities: NDArray[np.floating[Any]], targets: NDArray[np.int64], number: int
) -> float:
    predicted = probabilities.argmax(axis=1) == number
    scores, correct = probabilities[predicted, number], targets[predicted] == number
    order = np.argsort(-scores, kind="stable")
    precisions = correct[order].cumsum() / np.arange(1, len(order) + 1)
    sufficient = np.flatnonzero(precisions >= precision)
    if not len(sufficient):
        return 1.0
    if sufficient[-1] == len(order) - 1:
        return 0.0  # all predictions of the class together reach the precision
    accepted, rejected = scores[order[sufficient[-1]]], scores[order[sufficient[-1] + 1]]
    return float((accepted + rejected) / 2)


def _smoothed(targets: NDArray[np.int64], classes: int) -> Floats:
    """Return target probabilities, shape (N, classes), of which each other class gets an equal part of 1 / (N + 2)."""
    share = 1 / (len(targets) + 2)
    return np.eye(classes)[targets] * (1 - share * classes / (classes - 1)) + share / (classes - 1)
