"""Measure how well the familiarity separates photographs of the classes from other images."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from edge_runtime.familiarity.subspace import MIN_FAMILIARITY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Separation(NamedTuple):
    """How well familiarity separates photographs of the classes from other images.

    Attributes:
        images: number of other images.
        accepted: fraction of them that are familiar, 0..1.
        fpr95: fraction of them that are as familiar as the 95% most familiar photographs, 0..1.
        auroc: probability that a photograph is more familiar than another image, 0..1.

    """

    images: int
    accepted: float
    fpr95: float
    auroc: float


def separation(known: Floats, other: Floats) -> Separation:
    """Compare the familiarity of photographs of the classes, shape (N,), with that of other images, shape (M,)."""
    truth = np.concatenate([np.ones(len(known)), np.zeros(len(other))])
    return Separation(
        images=len(other),
        accepted=float(np.mean(other >= MIN_FAMILIARITY)),
        fpr95=float(np.mean(other >= np.quantile(known, 0.05))),
        auroc=float(roc_auc_score(truth, np.concatenate([known, other]))),
    )


def kept_share(known: Floats) -> float:
    """Return the fraction of photographs that are familiar."""
    return float(np.mean(known >= MIN_FAMILIARITY))
