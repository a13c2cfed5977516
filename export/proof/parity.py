"""Measure how much a candidate's probabilities differ from the reference's, on the same images."""

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
    """The comparison of a candidate with its reference.

    Attributes:
        images: number of compared images; at least one.
        max_abs_diff: largest difference of a probability.
        mean_abs_diff: mean difference of a probability.
        snr_db: signal-to-noise ratio of the probabilities in dB; None if the outputs are equal.
        cosine: cosine similarity of the probabilities, all images as one vector.
        top1_agreement: fraction of images with the same top class, 0..1.
        accuracy: the candidate's, 0..1.
        reference_accuracy: the reference's, 0..1.
        lost: images that the reference classifies correctly and the candidate wrongly.
        gained: images that the candidate classifies correctly and the reference wrongly.
        worst_recall_loss: the largest loss of recall of any class, 0..1; 0 if no class loses.
        worst_recall_class: index of that class.
        worst_recall_lost: number of that class's lost images.
        worst_recall_gained: number of its gained images.
        familiar_agreement: fraction of images that both recognize as familiar or both as unfamiliar, 0..1. The
            familiarity is the sum of the probabilities; without one, all images are familiar.

    """

    images: int
    max_abs_diff: float
    mean_abs_diff: float
    snr_db: float | None
    cosine: float
    top1_agreement: float
    accuracy: float
    reference_accuracy: float
    lost: int
    gained: int
    worst_recall_loss: float
    worst_recall_class: int
    worst_recall_lost: int
    worst_recall_gained: int
    familiar_agreement: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self)


def compare(
    reference: NDArray[np.float32],
    candidate: NDArray[np.float32],
    labels: NDArray[np.int64],
    min_familiarity: float | None = None,
) -> Parity:
    """Compare two classifiers' outputs.

    Args:
        reference: probabilities, shape (n_images, n_classes).
        candidate: the same shape.
        labels: true class indices, shape (n_images,).
        min_familiarity: the spec's.

    Raises:
        ParityError: there is nothing to compare, or the candidate returns NaN or infinity.

    """
    _check_comparable(reference, candidate, labels)
    difference = np.abs(reference.astype(np.float64) - candidate)
    expected, found = reference.argmax(axis=1), candidate.argmax(axis=1)
    loss = recalls(expected, labels, reference.shape[1]) - recalls(found, labels, reference.shape[1])
    worst = int(np.nanargmax(loss))
    lost, gained = (expected == labels) & (found != labels), (expected != labels) & (found == labels)
    return Parity(
        images=len(labels),
        max_abs_diff=float(difference.max()),
        mean_abs_diff=float(difference.mean()),
        snr_db=snr_db(reference, candidate),
        cosine=cosine(reference, candidate),
        top1_agreement=float(np.mean(expected == found)),
        accuracy=float(np.mean(found == labels)),
        reference_accuracy=float(np.mean(expected == labels)),
        lost=int(lost.sum()),
        gained=int(gained.sum()),
        worst_recall_loss=max(0.0, float(loss[worst])),
        worst_recall_class=worst,
        worst_recall_lost=int(lost[labels == worst].sum()),
        worst_recall_gained=int(gained[labels == worst].sum()),
        familiar_agreement=_familiar_agreement(reference, candidate, min_familiarity),
    )


def _check_comparable(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    if not len(labels):
        raise ParityError("there are no held-out images to compare")
    if reference.shape != candidate.shape or len(reference) != len(labels):
        raise ValueError(f"shapes differ: {reference.shape}, {candidate.shape}, {labels.shape}")
    if not np.isfinite(candidate).all():
        raise ParityError("the outputs contain NaN or infinity")


def _familiar_agreement(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], min_familiarity: float | None
) -> float:
    if min_familiarity is None:
        return 1.0
    familiar = [rows.sum(axis=1, dtype=np.float64) >= min_familiarity for rows in (reference, candidate)]
    return float(np.mean(familiar[0] == familiar[1]))


def snr_db(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> float | None:
    """Return 10 log10(signal power / noise power), where the noise is the difference; None if there is none."""
    signal = float(np.sum(np.square(reference, dtype=np.float64)))
    noise = float(np.sum(np.square(reference.astype(np.float64) - candidate)))
    return None if noise == 0 else float(10 * np.log10(max(signal, SMALLEST) / noise))


def cosine(reference: NDArray[np.float32], candidate: NDArray[np.float32]) -> float:
    """Return the cosine of the angle between two outputs, each as one vector; 0 if one is all zeros."""
    a, b = reference.astype(np.float64).ravel(), candidate.astype(np.float64).ravel()
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), SMALLEST))


@dataclass(frozen=True)
class Flip:
    """An image whose top class changed.

    Attributes:
        image: its index.
        label: its true class.
        reference: the reference's class.
        reference_score: the reference's probability of its class, 0..1.
        candidate: the candidate's class.
        candidate_score: the candidate's probability of its class, 0..1.

    """

    image: int
    label: int
    reference: int
    reference_score: float
    candidate: int
    candidate_score: float


def flips(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[Flip, ...]:
    """Return the images whose top class changed, in descending order of the reference's probability."""
    expected, found = reference.argmax(axis=1), candidate.argmax(axis=1)
    changed = [
        Flip(
            int(image),
            int(labels[image]),
            int(expected[image]),
            float(reference[image].max()),
            int(found[image]),
            float(candidate[image].max()),
        )
        for image in np.flatnonzero(expected != found)
    ]
    return tuple(sorted(changed, key=lambda flip: -flip.reference_score))


def confusion(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Count images by true class (rows) and predicted class (columns), (classes, classes)."""
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)


def recalls(predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return each class's recall, shape (classes,); NaN for a class without images."""
    totals = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    return np.divide(hits, totals, out=np.full(classes, np.nan), where=totals > 0)
