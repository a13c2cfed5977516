"""How far a candidate's probabilities are from the reference's, on the same images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ParityError

if TYPE_CHECKING:
    from numpy.typing import NDArray


SMALLEST = float(np.finfo(np.float64).tiny)  # a reference of zeros has no logarithm


@dataclass(frozen=True)
class Parity:
    """A candidate against its reference.

    Attributes:
        images: how many were compared; at least one.
        max_abs_diff: largest difference of a probability.
        mean_abs_diff: mean difference of a probability.
        snr_db: signal-to-noise ratio of the probabilities; None when the outputs are equal.
        top1_agreement: fraction of images with the same top class, 0..1.
        accuracy: the candidate's, 0..1.
        reference_accuracy: the reference's, 0..1.
        worst_recall_loss: the largest loss of recall that any class suffers, 0..1; 0 when none loses.
        worst_recall_class: index of that class.

    """

    images: int
    max_abs_diff: float
    mean_abs_diff: float
    snr_db: float | None
    top1_agreement: float
    accuracy: float
    reference_accuracy: float
    worst_recall_loss: float
    worst_recall_class: int

    def to_json(self) -> dict[str, Any]:
        """Give a JSON object."""
        return asdict(self)


def compare(reference: NDArray[np.float32], candidate: NDArray[np.float32], labels: NDArray[np.int64]) -> Parity:
    """Compare two classifiers' outputs.

    Args:
        reference: probabilities, shape (n_images, n_classes).
        candidate: the same shape.
        labels: true class indices, shape (n_images,).

    Raises:
        ParityError: nothing to compare, or the candidate gives NaN or infinity.

    """
    if not len(labels):
        raise ParityError("no held-out images to compare on")
    if reference.shape != candidate.shape or len(reference) != len(labels):
        raise ValueError(f"shapes differ: {reference.shape}, {candidate.shape}, {labels.shape}")
    if not np.isfinite(candidate).all():
        raise ParityError("the outputs hold NaN or infinity")
    difference = np.abs(reference.astype(np.float64) - candidate)
    expected, found = reference.argmax(axis=1), candidate.argmax(axis=1)
    loss = recalls(expected, labels, reference.shape[1]) - recalls(found, labels, reference.shape[1])
    worst = int(np.nanargmax(loss))
    return Parity(
        images=len(labels),
        max_abs_diff=float(difference.max()),
        mean_abs_diff=float(difference.mean()),
        snr_db=snr_db(reference, candidate),
        top1_agreement=float(np.mean(expected == found)),
        accuracy=float(np.mean(found == labels)),
        reference_accuracy=float(np.mean(expected == labels)),
        worst_recall_loss=max(0.0, float(loss[worst])),
        worst_recall_class=worst,
    )


def snr_db(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> float | None:
    """Give 10 log10(signal power / noise power), the noise being the difference; None when there is none."""
    signal = float(np.sum(np.square(reference, dtype=np.float64)))
    noise = float(np.sum(np.square(reference.astype(np.float64) - candidate)))
    return None if noise == 0 else float(10 * np.log10(max(signal, SMALLEST) / noise))


def recalls(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Give each class's recall, shape (classes,); NaN for a class without images."""
    totals = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    return np.divide(hits, totals, out=np.full(classes, np.nan), where=totals > 0)
