"""Estimate the error rate of a linear head, which decides whether the backbone is fine-tuned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE, FOLDS = 2000, 3
# Inverse strength of the L2 penalty: between the best values for cats and dogs (0.01) and for hand signs (0.1).
PENALTY_C = 0.03


def head_error_rate(features: NDArray[np.floating[Any]], targets: NDArray[np.float32], seed: int) -> float:
    """Estimate the error rate of a linear head by cross-validation.

    The validation photographs alone are too few: with a hundred, an error rate between 2% and 6% is due to chance.

    Args:
        features: shape (N, D); a random sample of at most SAMPLE rows is used.
        targets: target probabilities, shape (N, 1) for two classes, else (N, classes).
        seed: of the sample and of the folds.

    Returns:
        Fraction of misclassified photographs, 0..1, each held out once; 0 if a class has fewer than FOLDS photographs.

    """
    labels = targets.argmax(axis=1) if targets.shape[1] > 1 else (targets[:, 0] > 0.5).astype(np.int64)
    rows = np.random.default_rng(seed).permutation(len(labels))[:SAMPLE]
    if np.unique(labels[rows], return_counts=True)[1].min() < FOLDS:
        return 0.0
    values = features[rows].astype(np.float32)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    head = LogisticRegression(C=PENALTY_C, max_iter=200)
    predicted = cross_val_predict(head, values - values.mean(axis=0), labels[rows], cv=folds)
    return float(np.mean(predicted != labels[rows]))
