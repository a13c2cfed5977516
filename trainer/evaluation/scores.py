"""Measure how well a model classifies photographs that it was not trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

from edge_runtime.collection.review.accuracy import wilson_interval
from trainer.progress import tracked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels
    from trainer.networks.models import Model

BATCH_SIZE = 64


class ClassScore(NamedTuple):
    """One class's scores, each 0..1; 0 if the divisor is 0.

    Attributes:
        label: the class.
        precision: fraction of the photographs predicted as this class that belong to it.
        recall: fraction of this class's photographs that are predicted as it.
        f1: harmonic mean of the two.
        support: number of photographs of this class.

    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Evaluation:
    """A model's result on labelled photographs.

    Attributes:
        images: number of photographs.
        accuracy: fraction of correct predictions, 0..1.
        loss: mean cross-entropy.
        per_class: in the order of the labels.
        confusion: counts; row: true class, column: predicted class.
        interval: 95% confidence interval of the accuracy, 0..1.

    """

    images: int
    accuracy: float
    loss: float
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    interval: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        per_class = {
            score.label: {k: v for k, v in score._asdict().items() if k != "label"} for score in self.per_class
        }
        return {**asdict(self), "per_class": per_class}

    def to_table(self) -> str:
        """Return lines of text: one row per class, then the total."""
        width = max(len("class"), *(len(score.label) for score in self.per_class))
        rows = [f"{'class':{width}}  precision  recall     f1  images"]
        rows += [
            f"{score.label:{width}}  {score.precision:9.1%}  {score.recall:6.1%}  {score.f1:5.1%}  {score.support:6}"
            for score in self.per_class
        ]
        return "\n".join([*rows, self.summary()])

    def summary(self) -> str:
        """Return accuracy, its interval and the loss in one line."""
        low, high = self.interval
        return (
            f"accuracy {self.accuracy:.1%} of {self.images} test images "
            f"(95% interval {low:.1%} to {high:.1%}), loss {self.loss:.3f}"
        )


def predict(model: Model, pixels: Pixels) -> NDArray[np.float64]:
    """Return probabilities, float64 of shape (N, classes), for uint8 pixels of shape (N, H, W, 3)."""
    starts = range(0, len(pixels), BATCH_SIZE)
    steps = tracked(starts, len(starts), f"classifying {len(pixels)} photographs")
    chunks = [model.predict_on_batch(pixels[at : at + BATCH_SIZE].astype(np.float32)) for at in steps]
    return per_class_probabilities(np.concatenate(chunks))


def per_class_probabilities(outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a sigmoid's outputs, shape (N, 1), in the form of a softmax's, shape (N, 2); a softmax's unchanged."""
    wide = outputs.astype(np.float64)
    return np.concatenate([1 - wide, wide], axis=1) if wide.shape[1] == 1 else wide


def score(probabilities: NDArray[np.floating[Any]], targets: NDArray[np.int64], labels: Sequence[str]) -> Evaluation:
    """Compare probabilities with the targets.

    Args:
        probabilities: shape (N, classes), N at least 1.
        targets: class indices, shape (N,).
        labels: class names, in the order of the columns.

    """
    indices = np.arange(len(labels))
    predicted = probabilities.argmax(axis=1)
    correct = int(np.sum(predicted == targets))
    scores = precision_recall_fscore_support(targets, predicted, labels=indices, zero_division=0)
    per_class = tuple(
        ClassScore(label, float(p), float(r), float(f), int(n))
        for label, p, r, f, n in zip(labels, *scores, strict=True)
    )
    return Evaluation(
        images=len(targets),
        accuracy=float(np.mean(predicted == targets)),
        loss=float(log_loss(targets, _normalised(probabilities), labels=indices)),
        per_class=per_class,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion_matrix(targets, predicted, labels=indices)),
        interval=wilson_interval(correct, len(targets)),
    )


def wrong_decisions(probabilities: NDArray[np.floating[Any]], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of wrong decisions in descending order of the decided class's probability."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != targets)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]


def _normalised(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Normalise rows to a sum of 1 in float64, which log_loss requires and a float32 softmax does not reach."""
    wide = probabilities.astype(np.float64)
    normalised: NDArray[np.float64] = wide / wide.sum(axis=1, keepdims=True)
    return normalised
